/** Memberships: which user is what in which organization. */
import type { Queryable } from '../platform/database/pool.ts';
import { type MemberRole, upsertMembership } from './statements.ts';

export type Membership = {
  readonly organizationId: string;
  readonly userId: string;
  readonly role: MemberRole;
};

/** Makes the user a member with this role; one who is a member already gets the role. */
export async function setMembership(db: Queryable, membership: Membership): Promise<void> {
  await db.query(upsertMembership(membership.organizationId, membership.userId, membership.role));
}
