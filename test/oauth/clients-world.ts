/** An authorization server with admins of two organizations, an admin of the platform, and what they do with clients. */
import { requestContext, type Viewer } from '../../src/accounts/viewer.ts';
import { sourceOf } from '../../src/audit/entry.ts';
import { newId } from '../../src/lib/ids.ts';
import type { ClientContext } from '../../src/oauth/client-context.ts';
import type { NewClientInput } from '../../src/oauth/client-input.ts';
import type { ClientRecord } from '../../src/oauth/client-record.ts';
import { registerClient } from '../../src/oauth/client-registration.ts';
import {
  type ClientReviews,
  createClientReviews,
  type ReviewDecision,
} from '../../src/oauth/client-review.ts';
import { createTenancy } from '../../src/platform/database/tenancy.ts';
import { type Harness, MASTER_KEYS, startHarness, type TestClient } from './harness.ts';
import { addPerson, type Person, REDIRECT_URI } from './people.ts';

export type Registered = TestClient & { readonly record: ClientRecord };

export type ClientsWorld = {
  readonly harness: Harness;
  readonly reviews: ClientReviews;
  /** Another organization. */
  readonly south: string;
  readonly platformAdmin: Person;
  /** On behalf of an admin of the harness' organization, or of what `change` says. */
  readonly as: (change?: Partial<Viewer>) => ClientContext;
  /** On behalf of the platform's admin, or of what `change` says. */
  readonly reviewer: (change?: Partial<Viewer>) => Parameters<ClientReviews['find']>[0];
  /** Registers a client; the name says which. */
  readonly register: (input?: Partial<NewClientInput>) => Promise<Registered>;
  /** Decides about the client as it is now. */
  readonly decide: (id: string, decision: ReviewDecision) => Promise<ClientRecord>;
  /** A client that was registered and approved. */
  readonly approved: (input?: Partial<NewClientInput>) => Promise<Registered>;
  /** What was recorded about it, oldest first. */
  readonly auditOf: (id: string) => Promise<Record<string, unknown>[]>;
  readonly sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
};

export const ORIGIN = { address: '203.0.113.9', userAgent: 'Firefox', requestId: 'request-1' };

export async function openClientsWorld(): Promise<ClientsWorld> {
  const harness = await startHarness();
  const tenancy = createTenancy({ url: harness.tenantUrl, maxConnections: 6, onIdleError: () => undefined });
  const reviews = createClientReviews(harness);
  const sql: ClientsWorld['sql'] = async (text, values) => (await harness.owner.query(text, values)).rows;
  const south = newId();
  await sql(`INSERT INTO organizations (id, slug, name) VALUES ($1, 'south', 'South')`, [south]);
  const admin = await addPerson(harness, 'ADMIN');
  const platformAdmin = await addPerson(harness, 'ADMIN', south);
  await sql('UPDATE users SET is_platform_admin = true WHERE id = $1', [platformAdmin.id]);

  const viewer = (userId: string, isPlatformAdmin: boolean): Viewer => ({
    organizationId: harness.organizationId,
    role: 'ADMIN',
    userId,
    clientId: null,
    scopes: null,
    expiresAt: new Date(harness.clock.now().getTime() + 3_600_000),
    tokenId: null,
    session: { id: newId(), isPlatformAdmin },
  });
  const as: ClientsWorld['as'] = (change = {}) => ({
    ...requestContext(tenancy, { ...viewer(admin.id, false), ...change }, ORIGIN),
    clock: harness.clock,
    keys: MASTER_KEYS,
  });
  const reviewer: ClientsWorld['reviewer'] = (change = {}) => {
    const who = { ...viewer(platformAdmin.id, true), organizationId: south, ...change };
    return { viewer: who, source: sourceOf(who, ORIGIN) };
  };
  const register: ClientsWorld['register'] = async (input = {}) => {
    const { client: record, clientSecret } = await registerClient(as(), {
      name: 'Gradebook',
      redirectUris: [REDIRECT_URI],
      ...input,
    });
    return { id: record.id, clientId: record.clientId, secret: clientSecret ?? '', record };
  };
  const decide: ClientsWorld['decide'] = async (id, decision) => {
    const expectedVersion = (await reviews.find(reviewer(), { id }))?.version ?? 0;
    return reviews.decide(reviewer(), id, { ...decision, expectedVersion });
  };
  return {
    harness,
    reviews,
    south,
    platformAdmin,
    as,
    reviewer,
    register,
    decide,
    approved: async (input) => {
      const registered = await register(input);
      return { ...registered, record: await decide(registered.id, { decision: 'APPROVE' }) };
    },
    auditOf: (id) =>
      sql(
        `SELECT organization_id, action, actor_kind, actor_id, actor_label, target_label, changes, address
         FROM audit_entries WHERE target_id = $1 ORDER BY id`,
        [id],
      ),
    sql,
    close: async () => {
      await tenancy.close();
      await harness.close();
    },
  };
}
