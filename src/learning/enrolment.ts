/** Enrolments: learners in quests, from the start to the completion. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import type { Enrolment, Prisma, TaskCompletion } from '../generated/prisma/client.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { type LearningContext, learnerIdOf, MAY_LEARN, MAY_READ_TASKS } from './context.ts';
import { enterLearner } from './learner.ts';
import { requireQuest } from './quest.ts';

export type Start = {
  readonly questId: string;
  /** For whom; the viewer itself if left out. */
  readonly userId?: string | undefined;
};

/**
 * Starts a quest. Who has started it already stays where it is. Errors: `FORBIDDEN`; `NOT_FOUND` for a quest or member
 * that the viewer does not see; `CONFLICT` for a quest that is not published; `VALIDATION` (path `user_id`).
 */
export async function startQuest(context: LearningContext, { questId, userId }: Start): Promise<Enrolment> {
  authorize(context.viewer, MAY_LEARN);
  const learnerId = learnerIdOf(context.viewer, userId);
  return context.write(async (unit) => {
    const quest = await requireQuest(unit, context, questId);
    const key = { organizationId: context.viewer.organizationId, userId: learnerId, questId };
    const started = await unit.tx.enrolment.findUnique({ where: { organizationId_userId_questId: key } });
    if (started !== null) return started;
    if (quest.status !== 'PUBLISHED') throw new AppError('CONFLICT', 'The quest is not published.');
    await enterLearner(unit, context, learnerId);
    const row = { ...key, id: newId(), startedAt: context.clock.now() };
    await unit.tx.enrolment.createMany({ data: [row], skipDuplicates: true });
    return unit.tx.enrolment.findUniqueOrThrow({ where: { organizationId_userId_questId: key } });
  });
}

export type EnrolmentFilter = {
  readonly userId?: string | undefined;
  readonly questId?: string | undefined;
  /** Those that are completed, or those that are not. */
  readonly completed?: boolean | undefined;
};

/** The enrolments that the viewer sees, newest first. */
export async function listEnrolments(
  context: RequestContext,
  filter: EnrolmentFilter,
  page: PageRequest,
): Promise<Page<Enrolment>> {
  authorize(context.viewer, MAY_READ_TASKS);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ id }, conditions(context, filter)] };
  const rows = await context.read((tx) => tx.enrolment.findMany({ where, orderBy: { id: order }, take }));
  return toPage(rows, page);
}

/** How many `listEnrolments` would list. */
export async function countEnrolments(context: RequestContext, filter: EnrolmentFilter): Promise<Count> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = conditions(context, filter);
  return toCount(await context.read((tx) => tx.enrolment.count({ where, take: MAX_COUNT + 1 })));
}

function conditions(
  { viewer }: RequestContext,
  { userId, questId, completed }: EnrolmentFilter,
): Prisma.EnrolmentWhereInput {
  return {
    organizationId: viewer.organizationId,
    // What is no id leads to nothing.
    ...(userId === undefined ? {} : { userId: { in: [userId].filter(isUuid) } }),
    ...(questId === undefined ? {} : { questId: { in: [questId].filter(isUuid) } }),
    ...(completed === undefined ? {} : { completedAt: completed ? { not: null } : null }),
  };
}

/** The enrolments of these ids that the viewer sees, in one query. */
export async function findEnrolments(
  context: RequestContext,
  ids: readonly string[],
): Promise<readonly Enrolment[]> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.enrolment.findMany({ where }));
}

/** The completed tasks of these enrolments, by the enrolment's id, in one query: of each 50 at most. */
export async function listCompletionsOf(
  context: RequestContext,
  enrolmentIds: readonly string[],
): Promise<ReadonlyMap<string, readonly TaskCompletion[]>> {
  authorize(context.viewer, MAY_READ_TASKS);
  const where = {
    organizationId: context.viewer.organizationId,
    enrolment: { id: { in: [...enrolmentIds] } },
  };
  const rows = await context.read((tx) =>
    tx.taskCompletion.findMany({
      where,
      include: { enrolment: { select: { id: true } }, task: { select: { position: true } } },
    }),
  );
  const sorted = rows.toSorted((a, b) => a.task.position - b.task.position);
  return Map.groupBy(sorted, ({ enrolment }) => enrolment.id);
}
