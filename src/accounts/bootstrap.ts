/** What a new installation needs before anybody can sign in or call it: an organization, an admin, a client. */
import type { Pool, PoolClient } from 'pg';
import { OPERATOR } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { randomAlphanumeric } from '../lib/crypto.ts';
import { newId } from '../lib/ids.ts';
import { inTransaction } from '../platform/database/pool.ts';
import { setMembership } from './membership.ts';
import { createOrganization, findFirstOrganization } from './organization.ts';
import { findPasswordHash, setPassword } from './password.ts';
import { lockBootstrap, type Organization, type User } from './statements.ts';
import {
  createUser,
  findFirstPlatformAdmin,
  findUserByEmail,
  makePlatformAdmin,
  normalizeEmail,
} from './user.ts';

export type BootstrapOptions = {
  readonly adminEmail: string;
  /** Left out: generated. */
  readonly adminPassword?: string;
};

/** Makes the first OAuth client of the organization in the given transaction, where it is missing. */
export type BootstrapClient<C> = (
  tx: PoolClient,
  organization: Organization,
) => Promise<{ readonly created: boolean; readonly client: C }>;

export type BootstrapDeps<C> = {
  /** Logs in as the owner of the schema: no role that serves requests may create organizations. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly options: BootstrapOptions;
  readonly bootstrapClient: BootstrapClient<C>;
};

export type BootstrapResult<C> = {
  /** Whether anything was missing and was made by this call. */
  readonly created: boolean;
  readonly organization: Organization;
  /** `password` stands here only when this call generated it. */
  readonly admin: { readonly email: string; readonly password?: string };
  readonly client: C;
};

type Admin = { readonly created: boolean; readonly email: string; readonly password?: string };

// 24 of 62 characters are 142 bits, and can still be typed.
const GENERATED_PASSWORD_CHARACTERS = 24;

/**
 * Makes the first organization, the first platform admin (who is also its ADMIN) and the first client, all or nothing.
 * The options count only while nothing of the kind exists: a later start with another email or password changes
 * nothing. A user who has the email already becomes platform admin and keeps the password he has. Processes that
 * start at once take turns; one creates, the others find.
 * Errors: `VALIDATION` when the email or the password, being needed, does not fit; `UNAVAILABLE`.
 */
export async function bootstrap<C>(deps: BootstrapDeps<C>): Promise<BootstrapResult<C>> {
  const now = deps.clock.now();
  return inTransaction(deps.pool, async (tx) => {
    await tx.query(lockBootstrap());
    const existing = await findFirstOrganization(tx);
    const organization = existing ?? (await createFirstOrganization(tx, now));
    const admin = await bootstrapAdmin(tx, organization, deps.options, now);
    const { created: clientCreated, client } = await deps.bootstrapClient(tx, organization);
    const { created: adminCreated, ...adminResult } = admin;
    return {
      created: existing === null || adminCreated || clientCreated,
      organization,
      admin: adminResult,
      client,
    };
  });
}

async function createFirstOrganization(tx: PoolClient, now: Date): Promise<Organization> {
  const organization = { id: newId(), slug: 'optio-academy', name: 'Optio Academy' };
  await createOrganization(tx, organization, now);
  await recordOn(
    tx,
    { place: { organizationId: organization.id }, source: OPERATOR, now },
    {
      action: 'organization.created',
      target: { type: 'Organization', id: organization.id, label: organization.name },
    },
  );
  return organization;
}

async function bootstrapAdmin(
  tx: PoolClient,
  organization: Organization,
  options: BootstrapOptions,
  now: Date,
): Promise<Admin> {
  const existing = await findFirstPlatformAdmin(tx);
  if (existing !== null) return { created: false, email: existing.email };
  const user = await ensurePlatformAdmin(tx, normalizeEmail(options.adminEmail), now);
  await setMembership(tx, { organizationId: organization.id, userId: user.id, role: 'ADMIN' });
  await recordAdmin(tx, user, now);
  if ((await findPasswordHash(tx, user.id)) !== null) return { created: true, email: user.email };
  const generated = randomAlphanumeric(GENERATED_PASSWORD_CHARACTERS);
  await setPassword(tx, user, options.adminPassword ?? generated, now);
  const shown = options.adminPassword === undefined ? { password: generated } : {};
  return { created: true, email: user.email, ...shown };
}

async function recordAdmin(tx: PoolClient, user: User, now: Date): Promise<void> {
  await recordOn(
    tx,
    { place: { userId: user.id }, source: OPERATOR, now },
    {
      action: 'platform_admin.granted',
      target: { type: 'User', id: user.id, label: user.email },
    },
  );
}

async function ensurePlatformAdmin(tx: PoolClient, email: string, now: Date): Promise<User> {
  const user = await findUserByEmail(tx, email);
  if (user !== null) return makePlatformAdmin(tx, user, now);
  return createUser(tx, { id: newId(), email, name: 'Administrator', isPlatformAdmin: true }, now);
}
