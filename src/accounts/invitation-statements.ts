/** The SQL of accepting and mailing invitations, for the authorization server's role. Rows are found by their id. */
import type { QueryConfig } from 'pg';
import type { MemberRole } from './statements.ts';

export type OpenInvitation = {
  readonly organizationId: string;
  readonly organizationName: string;
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: MemberRole;
  readonly expiresAt: Date;
};

const COLUMNS = `i.organization_id AS "organizationId", o.name AS "organizationName", i.id, i.email, i.name, i.role,
  i.expires_at AS "expiresAt"`;
const IS_OPEN = 'i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2';

/** The invitation while it can be accepted. */
export function selectOpenInvitation(id: string, now: Date): QueryConfig {
  return {
    text: `SELECT ${COLUMNS} FROM invitations i JOIN organizations o ON o.id = i.organization_id
           WHERE i.id = $1 AND ${IS_OPEN}`,
    values: [id, now],
  };
}

/** Of several that accept it, or one that accepts and one that revokes it, one gets the row. */
export function updateToAccept(id: string, now: Date): QueryConfig {
  return {
    text: `UPDATE invitations i SET accepted_at = $2 FROM organizations o
           WHERE o.id = i.organization_id AND i.id = $1 AND ${IS_OPEN} RETURNING ${COLUMNS}`,
    values: [id, now],
  };
}

/** What became of the mail. */
export function updateMailOutcome(id: string, sentAt: Date | null, error: string | null): QueryConfig {
  return {
    text: 'UPDATE invitations SET mail_sent_at = $2, mail_error = $3 WHERE id = $1',
    values: [id, sentAt, error],
  };
}

/** A new user, unless somebody else has just made one of this address: then no row. */
export function insertInvitedUser(id: string, email: string, name: string, now: Date): QueryConfig {
  return {
    text: `INSERT INTO users (id, email, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
           ON CONFLICT (email) DO NOTHING`,
    values: [id, email, name, now],
  };
}

/** Whoever is a member already stays what they are: no row then. */
export function insertMembership(
  organizationId: string,
  userId: string,
  role: MemberRole,
  now: Date,
): QueryConfig {
  return {
    text: `INSERT INTO memberships (organization_id, user_id, role, created_at) VALUES ($1, $2, $3::"Role", $4)
           ON CONFLICT (organization_id, user_id) DO NOTHING`,
    values: [organizationId, userId, role, now],
  };
}

export type InvitedUser = {
  readonly id: string;
  readonly name: string;
  readonly deactivatedAt: Date | null;
  readonly hasPassword: boolean;
};

/** The user of that address with what an acceptance asks about. */
export function selectInvitedUser(email: string): QueryConfig {
  return {
    text: `SELECT u.id, u.name, u.deactivated_at AS "deactivatedAt",
             EXISTS (SELECT FROM user_passwords p WHERE p.user_id = u.id) AS "hasPassword"
           FROM users u WHERE u.email = $1`,
    values: [email],
  };
}

/** The same, locked, so that two acceptances of one person take turns. */
export function lockInvitedUser(email: string): QueryConfig {
  const { text, values } = selectInvitedUser(email);
  return { text: `${text} FOR UPDATE OF u`, values: values ?? [] };
}

/** Deletes a bounded number of invitations that were over before that time. */
export function deleteOldInvitations(before: Date, limit: number): QueryConfig {
  return {
    text: `WITH old AS MATERIALIZED (SELECT organization_id, id FROM invitations WHERE expires_at < $1 LIMIT $2)
           DELETE FROM invitations i USING old WHERE (i.organization_id, i.id) = (old.organization_id, old.id)`,
    values: [before, limit],
  };
}
