/** Learners: members who have started to learn, and what their completions add up to. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import type { Learner } from '../generated/prisma/client.ts';
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
import type { Unit } from '../platform/database/tenancy.ts';
import { MAY_READ_TASKS, noMember } from './context.ts';

/** Makes the member a learner, if it is none yet. Throws `NOT_FOUND` for a user that is no member. */
export async function enterLearner(
  { tx }: Unit,
  { viewer }: Pick<RequestContext, 'viewer'>,
  userId: string,
): Promise<void> {
  const key = { organizationId: viewer.organizationId, userId };
  const membership = await tx.membership.findUnique({ where: { organizationId_userId: key } });
  if (membership === null) throw noMember(userId);
  await tx.learner.createMany({ data: [key], skipDuplicates: true });
}

/** The learners of the organization, newest user first; for a student, itself. */
export async function listLearners(context: RequestContext, page: PageRequest): Promise<Page<Learner>> {
  authorize(context.viewer, MAY_READ_TASKS);
  const { id, take, order } = pageQuery(page);
  const where = { organizationId: context.viewer.organizationId, userId: id };
  const rows = await context.read((tx) => tx.learner.findMany({ where, orderBy: { userId: order }, take }));
  return toPage(rows, page);
}

/** How many `listLearners` would list. */
export async function countLearners(context: RequestContext): Promise<Count> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = { organizationId: context.viewer.organizationId };
  return toCount(await context.read((tx) => tx.learner.count({ where, take: MAX_COUNT + 1 })));
}

/** The learners among these users whom the viewer sees, in one query. */
export async function findLearners(
  context: RequestContext,
  userIds: readonly string[],
): Promise<readonly Learner[]> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = { organizationId: context.viewer.organizationId, userId: { in: userIds.filter(isUuid) } };
  return context.read((tx) => tx.learner.findMany({ where }));
}
