/** The SQL of accounts. Every statement finds its rows by a primary key or a unique index, or reads the oldest row. */
import type { QueryConfig } from 'pg';

export type Organization = { readonly id: string; readonly slug: string; readonly name: string };

export type User = {
  readonly id: string;
  /** Lower case. */
  readonly email: string;
  readonly name: string;
  readonly isPlatformAdmin: boolean;
  /** Null: active. */
  readonly deactivatedAt: Date | null;
};

/** A role in an organization, as the column `memberships.role` spells it. */
export type MemberRole = 'ADMIN' | 'EDUCATOR' | 'STUDENT';

// Held to the end of the transaction, so that processes that start together take turns.
const BOOTSTRAP_LOCK = [7431, 4];

const USER_COLUMNS =
  'id, email, name, is_platform_admin AS "isPlatformAdmin", deactivated_at AS "deactivatedAt"';

export function lockBootstrap(): QueryConfig {
  return { text: 'SELECT pg_advisory_xact_lock($1, $2)', values: BOOTSTRAP_LOCK };
}

/** The ids are time-ordered: the lowest is the oldest. */
export function selectFirstOrganization(): QueryConfig {
  return { text: 'SELECT id, slug, name FROM organizations ORDER BY id LIMIT 1' };
}

export function insertOrganization({ id, slug, name }: Organization, now: Date): QueryConfig {
  return {
    text: 'INSERT INTO organizations (id, slug, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)',
    values: [id, slug, name, now],
  };
}

export function selectUserByEmail(email: string): QueryConfig {
  return { text: `SELECT ${USER_COLUMNS} FROM users WHERE email = $1`, values: [email] };
}

export function selectUser(id: string): QueryConfig {
  return { text: `SELECT ${USER_COLUMNS} FROM users WHERE id = $1`, values: [id] };
}

export function selectFirstPlatformAdmin(): QueryConfig {
  return {
    text: `SELECT ${USER_COLUMNS} FROM users WHERE is_platform_admin AND deactivated_at IS NULL ORDER BY id LIMIT 1`,
  };
}

export function insertUser({ id, email, name, isPlatformAdmin }: User, now: Date): QueryConfig {
  return {
    text: `INSERT INTO users (id, email, name, is_platform_admin, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $5)`,
    values: [id, email, name, isPlatformAdmin, now],
  };
}

export function updateUserToPlatformAdmin(id: string, now: Date): QueryConfig {
  return {
    text: `UPDATE users SET is_platform_admin = true, deactivated_at = NULL, version = version + 1, updated_at = $2
           WHERE id = $1`,
    values: [id, now],
  };
}

export function upsertMembership(organizationId: string, userId: string, role: MemberRole): QueryConfig {
  return {
    text: `INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")
           ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role`,
    values: [organizationId, userId, role],
  };
}

export function upsertPassword(userId: string, hash: string, now: Date): QueryConfig {
  return {
    text: `INSERT INTO user_passwords (user_id, hash, changed_at) VALUES ($1, $2, $3)
           ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at`,
    values: [userId, hash, now],
  };
}

export function selectPasswordHash(userId: string): QueryConfig {
  return { text: 'SELECT hash FROM user_passwords WHERE user_id = $1', values: [userId] };
}
