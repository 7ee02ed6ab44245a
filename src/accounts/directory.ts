/** What a viewer may see of its organization: the organization itself, its members, and who they are. */
import type { Membership, Organization, User } from '../generated/prisma/client.ts';
import { AppError } from '../lib/errors.ts';
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
import { authorize, type RequestContext } from './viewer.ts';

/** To see who the members of the organization are. */
export const MAY_SEE_MEMBERS = { scope: 'read:users', roles: ['ADMIN'] } as const;
/** To see oneself. */
export const MAY_SEE_ONESELF = { scope: 'read:users', roles: ['ADMIN', 'EDUCATOR', 'STUDENT'] } as const;

/** The viewer's own organization. */
export async function getOrganization(context: RequestContext): Promise<Organization> {
  const { organizationId: id } = context.viewer;
  const organization = await context.read((tx) => tx.organization.findUnique({ where: { id } }));
  if (organization === null) throw new AppError('NOT_FOUND', 'The organization does not exist any more.');
  return organization;
}

/** The members of the viewer's organization, newest user first. */
export async function listMembers(context: RequestContext, page: PageRequest): Promise<Page<Membership>> {
  authorize(context.viewer, MAY_SEE_MEMBERS);
  const { id, take, order } = pageQuery(page);
  const where = { organizationId: context.viewer.organizationId, userId: id };
  const rows = await context.read((tx) =>
    tx.membership.findMany({ where, orderBy: { userId: order }, take }),
  );
  return toPage(rows, page);
}

/** How many members the viewer's organization has. */
export async function countMembers(context: RequestContext): Promise<Count> {
  authorize(context.viewer, MAY_SEE_MEMBERS);
  const where = { organizationId: context.viewer.organizationId };
  return toCount(await context.read((tx) => tx.membership.count({ where, take: MAX_COUNT + 1 })));
}

/** The membership of a user in the viewer's organization; null when there is none. */
export async function findMembership(context: RequestContext, userId: string): Promise<Membership | null> {
  authorize(context.viewer, maySee(context, userId));
  if (!isUuid(userId)) return null;
  const key = { organizationId: context.viewer.organizationId, userId };
  return context.read((tx) => tx.membership.findUnique({ where: { organizationId_userId: key } }));
}

/** A user, if it is a member of the viewer's organization; else null. */
export async function findUser(context: RequestContext, id: string): Promise<User | null> {
  authorize(context.viewer, maySee(context, id));
  if (!isUuid(id)) return null;
  const memberships = { some: { organizationId: context.viewer.organizationId } };
  return context.read((tx) => tx.user.findFirst({ where: { id, memberships } }));
}

function maySee({ viewer }: RequestContext, userId: string) {
  return viewer.userId === userId ? MAY_SEE_ONESELF : MAY_SEE_MEMBERS;
}
