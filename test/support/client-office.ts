/** Where clients are registered and reviewed: the features themselves, on behalf of an admin who has signed in. */
import { requestContext } from '../../src/accounts/viewer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import type { ClientRecord } from '../../src/oauth/client-record.ts';
import {
  type RegisterClient,
  type RegisteredClient,
  registerClient,
} from '../../src/oauth/client-registration.ts';
import { type ClientReviews, createClientReviews } from '../../src/oauth/client-review.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTenancy } from '../../src/platform/database/tenancy.ts';
import { query, TEST_KEY } from './database.ts';

export type ClientOffice = {
  readonly register: (input: RegisterClient) => Promise<RegisteredClient>;
  readonly decide: (id: string, decision: Parameters<ClientReviews['decide']>[2]) => Promise<ClientRecord>;
  readonly close: () => Promise<void>;
};

/** For the organization of the user with this address, who is an admin of the platform as well. */
export async function openClientOffice(ownerUrl: string, email: string): Promise<ClientOffice> {
  const [member] = await query(
    ownerUrl,
    'SELECT m.organization_id, m.user_id FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = $1',
    [email],
  );
  const onIdleError = () => undefined;
  const tenancy = createTenancy({ url: ownerUrl, maxConnections: 1, onIdleError });
  const pool = createPool({ url: ownerUrl, maxConnections: 1, onIdleError });
  const context = {
    ...requestContext(tenancy, {
      organizationId: String(member?.['organization_id']),
      userId: String(member?.['user_id']),
      role: 'ADMIN',
      clientId: null,
      scopes: null,
      expiresAt: new Date(Date.now() + 3_600_000),
      tokenId: null,
      session: { id: newId(), isPlatformAdmin: true },
    }),
    clock: systemClock,
    keys: [TEST_KEY] as const,
  };
  const reviews = createClientReviews({ pool, clock: systemClock });
  return {
    register: (input) => registerClient(context, input),
    decide: (id, decision) => reviews.decide(context, id, decision),
    close: async () => {
      await Promise.all([tenancy.close(), pool.end()]);
    },
  };
}
