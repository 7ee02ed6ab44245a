/** The SQL of sessions. Each statement finds its rows by the hash of a token, by a primary key, or by (user_id, id). */
import type { QueryConfig } from 'pg';
import type { MemberRole } from './statements.ts';

/** A session that is alive, and what is true of its user at this moment. */
export type SessionRow = {
  readonly id: string;
  readonly userId: string;
  readonly email: string;
  readonly name: string;
  readonly isPlatformAdmin: boolean;
  /** Null: the person acts for no organization, or is no member of it any more. */
  readonly organizationId: string | null;
  readonly role: MemberRole | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  /** When it ends however much it is used. */
  readonly expiresAt: Date;
  readonly secondFactorAt: Date | null;
};

/** Which sessions are alive: `$now` and `$usedSince` are the numbers of the parameters. */
function isAlive(now: number, usedSince: number): string {
  return `s.ended_at IS NULL AND s.expires_at > $${now} AND s.last_used_at > $${usedSince}`;
}

const SESSION_COLUMNS = `s.id, s.user_id AS "userId", u.email, u.name, u.is_platform_admin AS "isPlatformAdmin",
  m.organization_id AS "organizationId", m.role, s.created_at AS "createdAt", s.last_used_at AS "lastUsedAt",
  s.expires_at AS "expiresAt", s.second_factor_at AS "secondFactorAt"`;

const SESSION_TABLES = `sessions s
  JOIN users u ON u.id = s.user_id AND u.deactivated_at IS NULL
  LEFT JOIN memberships m ON m.organization_id = s.active_organization_id AND m.user_id = s.user_id`;

/** On the way of every request of a session: four lookups by unique index, and nothing remembered in between. */
export function selectSession(tokenHash: Buffer, now: Date, usedSince: Date): QueryConfig {
  return {
    name: 'session',
    text: `SELECT ${SESSION_COLUMNS} FROM ${SESSION_TABLES} WHERE s.token_hash = $1 AND ${isAlive(2, 3)}`,
    values: [tokenHash, now, usedSince],
  };
}

export type NewSession = {
  readonly id: string;
  readonly userId: string;
  readonly tokenHash: Buffer;
  /** The hash that the password was checked against. */
  readonly passwordHash: string;
  readonly expiresAt: Date;
  readonly secondFactorAt: Date | null;
  readonly address: string | null;
  readonly userAgent: string | null;
};

/**
 * Stores a session if its user is active and the password is still the one that was checked; no row otherwise. The
 * share locks make a change of the password wait, and so find the session that it has to end.
 * The organization is the one of the latest session, if the user is still a member; else the oldest membership.
 */
export function insertSession(session: NewSession, now: Date): QueryConfig {
  return {
    text: `INSERT INTO sessions (id, user_id, active_organization_id, token_hash, created_at, last_used_at, expires_at,
             second_factor_at, address, user_agent)
           SELECT $1, u.id,
             coalesce(
               (SELECT m.organization_id FROM sessions s
                JOIN memberships m ON m.user_id = s.user_id AND m.organization_id = s.active_organization_id
                WHERE s.user_id = u.id ORDER BY s.id DESC LIMIT 1),
               (SELECT m.organization_id FROM memberships m WHERE m.user_id = u.id
                ORDER BY m.created_at, m.organization_id LIMIT 1)),
             $3, $5, $5, $6, $7, $8, $9
           FROM (SELECT u.id FROM users u JOIN user_passwords p ON p.user_id = u.id
                 WHERE u.id = $2 AND u.deactivated_at IS NULL AND p.hash = $4 FOR SHARE OF u, p) u
           RETURNING active_organization_id AS "organizationId"`,
    values: [
      session.id,
      session.userId,
      session.tokenHash,
      session.passwordHash,
      now,
      session.expiresAt,
      session.secondFactorAt,
      session.address,
      session.userAgent,
    ],
  };
}

/** Ends the oldest sessions of a user beyond `keep`. */
export function endOldestSessions(userId: string, keep: number, now: Date): QueryConfig {
  return {
    text: `UPDATE sessions SET ended_at = $3 WHERE user_id = $1 AND ended_at IS NULL AND id NOT IN (
             SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL ORDER BY id DESC LIMIT $2)`,
    values: [userId, keep, now],
  };
}

export function touchSession(id: string, now: Date): QueryConfig {
  return {
    text: 'UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2',
    values: [id, now],
  };
}

/** Gives a session that has not ended another token, so that the one before is good for nothing. */
export function replaceSessionToken(id: string, tokenHash: Buffer, secondFactorAt: Date | null): QueryConfig {
  return {
    text: `UPDATE sessions SET token_hash = $2, second_factor_at = $3
           WHERE id = $1 AND ended_at IS NULL`,
    values: [id, tokenHash, secondFactorAt],
  };
}

/** The same, for another organization; no row when the user is no member there. */
export function switchSession(id: string, tokenHash: Buffer, organizationId: string): QueryConfig {
  return {
    text: `UPDATE sessions s SET token_hash = $2, active_organization_id = m.organization_id
           FROM memberships m
           WHERE s.id = $1 AND s.ended_at IS NULL AND m.user_id = s.user_id AND m.organization_id = $3`,
    values: [id, tokenHash, organizationId],
  };
}

export type ListedSession = {
  readonly id: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly secondFactorAt: Date | null;
  readonly address: string | null;
  readonly userAgent: string | null;
};

/** The sessions of a user that are alive, newest first. There are never many: see `endOldestSessions`. */
export function selectSessions(userId: string, now: Date, usedSince: Date): QueryConfig {
  return {
    text: `SELECT s.id, s.created_at AS "createdAt", s.last_used_at AS "lastUsedAt", s.expires_at AS "expiresAt",
             s.second_factor_at AS "secondFactorAt", s.address, s.user_agent AS "userAgent"
           FROM sessions s WHERE s.user_id = $1 AND ${isAlive(2, 3)} ORDER BY s.id DESC`,
    values: [userId, now, usedSince],
  };
}

/** Ends a session of the user; no row when there is none that has not ended. */
export function endSession(userId: string, id: string, now: Date): QueryConfig {
  return {
    text: 'UPDATE sessions SET ended_at = $3 WHERE id = $2 AND user_id = $1 AND ended_at IS NULL',
    values: [userId, id, now],
  };
}

/** Ends all sessions of a user but one; null: all of them. Answers their ids. */
export function endSessions(userId: string, exceptId: string | null, now: Date): QueryConfig {
  return {
    text: `UPDATE sessions SET ended_at = $3
           WHERE user_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR id <> $2)
           RETURNING id`,
    values: [userId, exceptId, now],
  };
}

export type HeldSession = Pick<SessionRow, 'id' | 'organizationId' | 'role'>;

/** Those of the sessions that are alive, with what their users are now. */
export function selectHeldSessions(ids: readonly string[], now: Date, usedSince: Date): QueryConfig {
  return {
    name: 'held-sessions',
    text: `SELECT s.id, m.organization_id AS "organizationId", m.role FROM ${SESSION_TABLES}
           WHERE s.id = ANY ($1::uuid[]) AND ${isAlive(2, 3)}`,
    values: [ids, now, usedSince],
  };
}

export type MembershipRow = {
  readonly organizationId: string;
  readonly organizationName: string;
  readonly role: MemberRole;
};

/** Where a user is a member, by the name of the organization. */
export function selectMemberships(userId: string): QueryConfig {
  return {
    text: `SELECT o.id AS "organizationId", o.name AS "organizationName", m.role
           FROM memberships m JOIN organizations o ON o.id = m.organization_id
           WHERE m.user_id = $1 ORDER BY o.name, o.id LIMIT 200`,
    values: [userId],
  };
}

/** Deletes a bounded number of sessions that can be used no more. */
export function deleteExpiredSessions(now: Date, limit: number): QueryConfig {
  return {
    text: `DELETE FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2))`,
    values: [now, limit],
  };
}
