/** What was submitted, as the viewer may see it: a student its own, who teaches all of the organization. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import type { Prisma, Submission, SubmissionStatus } from '../generated/prisma/client.ts';
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
import { MAY_READ_TASKS } from './context.ts';

export type SubmissionFilter = {
  readonly status?: SubmissionStatus | undefined;
  /** Of one learner. */
  readonly userId?: string | undefined;
};

/** Submissions, newest first. */
export async function listSubmissions(
  context: RequestContext,
  filter: SubmissionFilter,
  page: PageRequest,
): Promise<Page<Submission>> {
  authorize(context.viewer, MAY_READ_TASKS);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ id }, conditions(context, filter)] };
  const rows = await context.read((tx) => tx.submission.findMany({ where, orderBy: { id: order }, take }));
  return toPage(rows, page);
}

/** How many `listSubmissions` would list. */
export async function countSubmissions(context: RequestContext, filter: SubmissionFilter): Promise<Count> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = conditions(context, filter);
  return toCount(await context.read((tx) => tx.submission.count({ where, take: MAX_COUNT + 1 })));
}

/** The submissions of these ids that the viewer sees, in one query. */
export async function findSubmissions(
  context: RequestContext,
  ids: readonly string[],
): Promise<readonly Submission[]> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.submission.findMany({ where }));
}

function conditions(
  { viewer }: RequestContext,
  { status, userId }: SubmissionFilter,
): Prisma.SubmissionWhereInput {
  return {
    organizationId: viewer.organizationId,
    ...(status === undefined ? {} : { status }),
    // What is no id leads to nobody.
    ...(userId === undefined ? {} : { userId: { in: [userId].filter(isUuid) } }),
  };
}
