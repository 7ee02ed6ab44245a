/**
 * Members: their roles, and who is one no longer. What a member may do is read anew on every request, so that a change
 * takes effect at once, in sessions that are open, too.
 */
import { difference } from '../audit/difference.ts';
import { record } from '../audit/record.ts';
import type { Membership } from '../generated/prisma/client.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { type PeopleContext, revokeOpen } from './invitation.ts';
import type { MemberRole } from './statements.ts';
import { authorize, type RequestContext } from './viewer.ts';

/** By admins who are signed in, and by no token. */
export const MAY_MANAGE_MEMBERS = { scope: null, roles: ['ADMIN'] } as const;

export type RoleChange = {
  readonly userId: string;
  readonly role: MemberRole;
  /** The version of the membership that is to be changed. */
  readonly expectedVersion?: number | undefined;
};

/**
 * Gives a member another role. Errors: `FORBIDDEN`, `NOT_FOUND`; `CONFLICT` when it has another version by now, or is the
 * last admin.
 */
export async function changeMemberRole(context: PeopleContext, change: RoleChange): Promise<Membership> {
  authorize(context.viewer, MAY_MANAGE_MEMBERS);
  const { role, expectedVersion } = change;
  return context.write(async (unit) => {
    const admins = await lockAdmins(unit, context);
    const membership = await requireMembership(unit, context, change.userId);
    if (expectedVersion !== undefined && expectedVersion !== membership.version) throw changed(membership);
    if (membership.role === role) return membership;
    if (role !== 'ADMIN') refuseLastAdmin(admins, membership);
    if (membership.role === 'ADMIN') await revokeInvitationsBy(unit, context, membership);
    await recordChange(unit, context, membership, role);
    return unit.tx.membership.update({
      where: keyOf(membership),
      data: { role, version: { increment: 1 } },
    });
  });
}

/**
 * Takes a member out of the organization; what the person is elsewhere stays. Invitations that the member made and that
 * are open are revoked. Errors: `FORBIDDEN`, `NOT_FOUND`, `CONFLICT` for the last admin.
 */
export async function removeMember(context: PeopleContext, userId: string): Promise<Membership> {
  authorize(context.viewer, MAY_MANAGE_MEMBERS);
  return context.write(async (unit) => {
    const admins = await lockAdmins(unit, context);
    const membership = await requireMembership(unit, context, userId);
    refuseLastAdmin(admins, membership);
    await revokeInvitationsBy(unit, context, membership);
    await recordChange(unit, context, membership, null);
    return unit.tx.membership.delete({ where: keyOf(membership) });
  });
}

/**
 * The admins of the organization who are active, locked to the end of the transaction: changes of members take turns, so
 * that two admins cannot remove each other at once. Refuses (`FORBIDDEN`) a viewer who is no admin by now.
 */
async function lockAdmins({ tx }: Unit, { viewer }: RequestContext): Promise<ReadonlySet<string>> {
  const rows = await tx.$queryRaw<{ user_id: string }[]>`
    SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id AND u.deactivated_at IS NULL
    WHERE m.organization_id = ${viewer.organizationId}::uuid AND m.role = 'ADMIN'
    ORDER BY m.user_id FOR UPDATE OF m`;
  const admins = new Set(rows.map((row) => row.user_id));
  if (viewer.userId !== null && admins.has(viewer.userId)) return admins;
  throw new AppError('FORBIDDEN', 'This needs the role ADMIN.');
}

function refuseLastAdmin(admins: ReadonlySet<string>, { userId }: Membership): void {
  if (admins.size > 1 || !admins.has(userId)) return;
  throw new AppError(
    'CONFLICT',
    'This is the last admin of the organization; make somebody else an ADMIN first.',
  );
}

async function requireMembership(
  { tx }: Unit,
  { viewer }: RequestContext,
  userId: string,
): Promise<Membership> {
  const key = { organizationId: viewer.organizationId, userId };
  const membership = isUuid(userId) ? await tx.membership.findUnique({ where: keyOf(key) }) : null;
  if (membership === null) throw new AppError('NOT_FOUND', `There is no member ${JSON.stringify(userId)}.`);
  return membership;
}

/** What was offered in the name of somebody who may offer it no longer is taken back. */
async function revokeInvitationsBy(
  unit: Unit,
  context: PeopleContext,
  { userId }: Membership,
): Promise<void> {
  await revokeOpen(unit, context, { invitedById: userId });
}

/** Before the change, while the person can be seen. `next`: null for nobody any more. */
async function recordChange(
  { tx }: Unit,
  context: PeopleContext,
  { userId, role }: Membership,
  next: MemberRole | null,
): Promise<void> {
  const user = await tx.user.findUnique({ where: { id: userId }, select: { email: true } });
  const target = { type: 'User', id: userId, label: user?.email ?? null } as const;
  const changes = difference({ role }, { role: next });
  const action = next === null ? 'member.removed' : 'member.role_changed';
  await record(tx, context, context.clock.now(), { action, target, changes });
}

function keyOf({ organizationId, userId }: Pick<Membership, 'organizationId' | 'userId'>) {
  return { organizationId_userId: { organizationId, userId } };
}

function changed({ version }: Membership): AppError {
  return new AppError('CONFLICT', `The membership has been changed; it has version ${version} by now.`, {
    currentVersion: version,
  });
}
