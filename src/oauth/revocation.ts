/** Ends grants, and with them all tokens that were issued for them. */
import type { Queryable } from '../platform/database/pool.ts';
import { revokeGrantsOfUser as revokeStatement } from './token-statements.ts';

/**
 * Ends every grant of a user in all organizations; answers how many. To be called, in the same transaction if there is
 * one, when the password changes and when the user is deactivated. (Who leaves an organization loses the grants there
 * with the membership, by foreign key.)
 */
export async function revokeGrantsOfUser(db: Queryable, userId: string, now: Date): Promise<number> {
  const { rowCount } = await db.query(revokeStatement(userId, now));
  return rowCount ?? 0;
}
