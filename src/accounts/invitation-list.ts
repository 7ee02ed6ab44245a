/** The invitations of an organization as it sees them. */
import type { Invitation, Prisma } from '../generated/prisma/client.ts';
import { unreachable } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { OPEN, type PeopleContext } from './invitation.ts';
import { authorize, type RequestContext } from './viewer.ts';

/** Educators see those that they made themselves; row-level security says so, too. */
export const MAY_SEE_INVITATIONS = { scope: 'read:users', roles: ['ADMIN', 'EDUCATOR'] } as const;

export type InvitationStatus = 'PENDING' | 'ACCEPTED' | 'REVOKED' | 'EXPIRED';

/** What has become of an invitation by now. */
export function invitationStatus(
  { acceptedAt, revokedAt, expiresAt }: Pick<Invitation, 'acceptedAt' | 'revokedAt' | 'expiresAt'>,
  now: Date,
): InvitationStatus {
  if (acceptedAt !== null) return 'ACCEPTED';
  if (revokedAt !== null) return 'REVOKED';
  return expiresAt <= now ? 'EXPIRED' : 'PENDING';
}

/** The invitations that the viewer may see, newest first. */
export async function listInvitations(
  context: PeopleContext,
  status: InvitationStatus | undefined,
  page: PageRequest,
): Promise<Page<Invitation>> {
  authorize(context.viewer, MAY_SEE_INVITATIONS);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ id }, conditions(context, status)] };
  const rows = await context.read((tx) => tx.invitation.findMany({ where, orderBy: { id: order }, take }));
  return toPage(rows, page);
}

/** How many `listInvitations` would list. */
export async function countInvitations(
  context: PeopleContext,
  status: InvitationStatus | undefined,
): Promise<Count> {
  authorize(context.viewer, MAY_SEE_INVITATIONS);
  const where = conditions(context, status);
  return toCount(await context.read((tx) => tx.invitation.count({ where, take: MAX_COUNT + 1 })));
}

/** An invitation of the organization; null when there is none that the viewer may see. */
export async function findInvitation(context: RequestContext, id: string): Promise<Invitation | null> {
  authorize(context.viewer, MAY_SEE_INVITATIONS);
  if (!isUuid(id)) return null;
  const { organizationId } = context.viewer;
  return context.read((tx) =>
    tx.invitation.findUnique({ where: { organizationId_id: { organizationId, id } } }),
  );
}

function conditions(
  { viewer, clock }: PeopleContext,
  status: InvitationStatus | undefined,
): Prisma.InvitationWhereInput {
  const { organizationId } = viewer;
  const now = clock.now();
  switch (status) {
    case undefined:
      return { organizationId };
    case 'ACCEPTED':
      return { organizationId, acceptedAt: { not: null } };
    case 'REVOKED':
      return { organizationId, revokedAt: { not: null } };
    case 'EXPIRED':
      return { organizationId, ...OPEN, expiresAt: { lte: now } };
    case 'PENDING':
      return { organizationId, ...OPEN, expiresAt: { gt: now } };
    default:
      return unreachable(status);
  }
}
