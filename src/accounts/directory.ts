/** What a viewer may see of its organization: the organization itself, its members, and who they are. */
import { type Membership, type Organization, Prisma, type User } from '../generated/prisma/client.ts';
import { AppError, validationError } from '../lib/errors.ts';
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
import { columnsOf } from '../platform/database/columns.ts';
import type { MemberRole } from './statements.ts';
import { authorize, type RequestContext } from './viewer.ts';

/** To see who the members of the organization are. */
export const MAY_SEE_MEMBERS = { scope: 'read:users', roles: ['ADMIN', 'EDUCATOR'] } as const;
/** To see oneself. */
export const MAY_SEE_ONESELF = { scope: 'read:users', roles: ['ADMIN', 'EDUCATOR', 'STUDENT'] } as const;

const ORGANIZATION_COLUMNS = columnsOf(Prisma.OrganizationScalarFieldEnum);

/** The viewer's own organization. */
export async function getOrganization(context: RequestContext): Promise<Organization> {
  const { organizationId: id } = context.viewer;
  const [organization] = await context.read((tx) =>
    tx.rows<Organization>(
      Prisma.sql`SELECT ${ORGANIZATION_COLUMNS} FROM organizations WHERE id = ${id}::uuid`,
    ),
  );
  if (organization === undefined)
    throw new AppError('NOT_FOUND', 'The organization does not exist any more.');
  return organization;
}

export type MemberFilter = {
  readonly roles?: readonly MemberRole[] | undefined;
  /** Somewhere in the name or the address, whatever the case. */
  readonly search?: string | undefined;
};

/** The members of the viewer's organization, newest user first. */
export async function listMembers(
  context: RequestContext,
  filter: MemberFilter,
  page: PageRequest,
): Promise<Page<Membership>> {
  authorize(context.viewer, MAY_SEE_MEMBERS);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ userId: id }, conditions(context, filter)] };
  const rows = await context.read((tx) =>
    tx.membership.findMany({ where, orderBy: { userId: order }, take }),
  );
  return toPage(rows, page);
}

/** How many `listMembers` would list. */
export async function countMembers(context: RequestContext, filter: MemberFilter): Promise<Count> {
  authorize(context.viewer, MAY_SEE_MEMBERS);
  const where = conditions(context, filter);
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

/** The users among these who are members of the viewer's organization, in one query. */
export async function findUsers(context: RequestContext, ids: readonly string[]): Promise<readonly User[]> {
  for (const id of ids) authorize(context.viewer, maySee(context, id));
  const memberships = { some: { organizationId: context.viewer.organizationId } };
  return context.read((tx) => tx.user.findMany({ where: { id: { in: ids.filter(isUuid) }, memberships } }));
}

const MAX_SEARCH_CHARACTERS = 100;

function conditions(
  { viewer }: RequestContext,
  { roles, search }: MemberFilter,
): Prisma.MembershipWhereInput {
  const text = search?.trim() ?? '';
  if (text.length > MAX_SEARCH_CHARACTERS) {
    const message = `Expected at most ${MAX_SEARCH_CHARACTERS} characters.`;
    throw validationError([{ path: ['filter', 'search'], message }]);
  }
  // % and _ stand for themselves.
  const contains = { contains: text.replaceAll(/[\\%_]/g, '\\$&'), mode: 'insensitive' } as const;
  return {
    organizationId: viewer.organizationId,
    ...(roles === undefined ? {} : { role: { in: [...roles] } }),
    ...(text === '' ? {} : { user: { OR: [{ name: contains }, { email: contains }] } }),
  };
}

function maySee({ viewer }: RequestContext, userId: string) {
  return viewer.userId === userId ? MAY_SEE_ONESELF : MAY_SEE_MEMBERS;
}
