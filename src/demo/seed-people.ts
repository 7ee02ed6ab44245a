/** The people of the demo, and the client that acts for it. */
import type { PoolClient } from 'pg';
import { setMembership } from '../accounts/membership.ts';
import { SCOPES } from '../accounts/scope.ts';
import { findUserByEmail } from '../accounts/user.ts';
import { sha256 } from '../lib/crypto.ts';
import { createIdGenerator, newId } from '../lib/ids.ts';
import { insertClient, insertClientSecret } from '../oauth/statements.ts';
import { findCast } from './cast.ts';
import type { Cast } from './classroom.ts';
import { DEMO_ACCOUNTS, DEMO_CLIENT } from './school.ts';
import { insertAccounts } from './statements.ts';

const SINCE_MS = 90 * 86_400_000;

export type PeopleOptions = {
  readonly organizationId: string;
  readonly passwordHash: string;
  readonly adminEmail: string;
  readonly now: Date;
};

/** Stores the accounts; the installation's admin becomes ADMIN of the demo, to look at it without signing in anew. */
export async function seedPeople(
  tx: PoolClient,
  { organizationId, passwordHash, adminEmail, now }: PeopleOptions,
): Promise<{ readonly cast: Cast; readonly adminId: string }> {
  const since = new Date(now.getTime() - SINCE_MS);
  const nextId = createIdGenerator(() => since.getTime());
  const accounts = DEMO_ACCOUNTS.map((account) => ({ id: nextId(), ...account }));
  await tx.query(insertAccounts(organizationId, accounts, passwordHash, since));
  const admin = await findUserByEmail(tx, adminEmail);
  if (admin !== null) await setMembership(tx, { organizationId, userId: admin.id, role: 'ADMIN' });
  return { cast: await findCast(tx, organizationId), adminId: accounts[0]?.id ?? '' };
}

/** Stores a client that acts for the demo by client_credentials, with every scope. */
export async function seedClient(tx: PoolClient, organizationId: string, now: Date): Promise<void> {
  const { clientId, clientSecret, name } = DEMO_CLIENT;
  const id = newId();
  const client = {
    organizationId,
    id,
    clientId,
    name,
    type: 'CONFIDENTIAL',
    status: 'APPROVED',
    grantTypes: ['client_credentials'],
    scopes: SCOPES.map((scope) => scope.name),
    redirectUris: [],
    requiresPkce: true,
  } as const;
  await tx.query(insertClient(client, now));
  const secret = { organizationId, id: newId(), clientRef: id, hash: sha256(clientSecret) };
  await tx.query(insertClientSecret(secret, now));
}
