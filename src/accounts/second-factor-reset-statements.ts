/** The SQL of resetting a second factor: by primary key. */
import type { QueryConfig } from 'pg';

/** Whose second factor is to be taken away, and what the account is. */
export type ResetSubject = {
  readonly id: string;
  readonly email: string;
  /** Of the organization that is asked for. */
  readonly isMember: boolean;
  /** Of another organization, too, or an admin of the platform. */
  readonly isMoreThanMember: boolean;
};

/**
 * Locked, so that a membership that begins elsewhere at the same moment (its key refers to the user) waits for the end.
 */
export function selectResetSubject(userId: string, organizationId: string): QueryConfig {
  return {
    text: `SELECT u.id, u.email,
             EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.organization_id = $2) AS "isMember",
             u.is_platform_admin
               OR EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.organization_id <> $2)
               AS "isMoreThanMember"
           FROM users u WHERE u.id = $1 AND u.deactivated_at IS NULL FOR UPDATE OF u`,
    values: [userId, organizationId],
  };
}
