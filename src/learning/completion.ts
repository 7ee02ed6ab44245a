/**
 * Completing: a task counts once, the last one completes the quest once, XP adds up, badges follow, and what happened is
 * told, all in one transaction. Each row that is counted up is counted by the database, never from what was read: two
 * who complete at once take turns at the enrolment, then at the learner, always in this order.
 */
import { authorize } from '../accounts/viewer.ts';
import { emitInTransaction } from '../events/emit.ts';
import type { Badge, Enrolment, Quest, Task, TaskCompletion } from '../generated/prisma/client.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { awardByRule } from './badge-statements.ts';
import { type LearningContext, learnerIdOf, MAY_LEARN, requireMayApprove } from './context.ts';
import { badgeEarned, questCompleted, taskCompleted } from './events.ts';
import { type PillarXp, xpIncrements } from './pillar.ts';

export type Completion = {
  readonly taskId: string;
  /** For whom; the viewer itself if left out. */
  readonly userId?: string | undefined;
};

export type Completed = {
  readonly completion: TaskCompletion;
  /** As it is now. */
  readonly enrolment: Enrolment;
  /** False: the task had been completed before, and nothing was done. */
  readonly isNew: boolean;
  /** It was the last task of the quest. */
  readonly questCompleted: boolean;
  readonly badgesEarned: readonly Pick<Badge, 'id' | 'name'>[];
};

/**
 * Completes a task of a quest that was started; one that is completed already stays so, and nothing is told anew.
 * Errors: `FORBIDDEN`, for a task that has to be approved, too; `NOT_FOUND`; `CONFLICT` when the quest was not started;
 * `VALIDATION` (path `user_id`).
 */
export async function completeTask(context: LearningContext, request: Completion): Promise<Completed> {
  authorize(context.viewer, MAY_LEARN);
  const userId = learnerIdOf(context.viewer, request.userId);
  return context.write(async (unit) => {
    const task = await requireStarted(unit, context, { taskId: request.taskId, userId });
    const before = await findCompletion(unit, task, userId);
    if (before !== null) return unchanged(unit, before);
    if (task.requiresApproval) requireMayApprove(context.viewer);
    return complete(unit, context, { task, userId });
  });
}

/** A task with its quest. */
export type TaskOfQuest = Task & { readonly quest: Quest & { readonly _count: { readonly tasks: number } } };
type Learning = { readonly task: TaskOfQuest; readonly userId: string };

/** The task of a quest that the user has started. Throws `NOT_FOUND`; `CONFLICT` when it was not started. */
export async function requireStarted(
  { tx }: Unit,
  { viewer }: LearningContext,
  { taskId, userId }: { readonly taskId: string; readonly userId: string },
): Promise<TaskOfQuest> {
  const { organizationId } = viewer;
  const where = { organizationId_id: { organizationId, id: taskId } };
  const include = {
    quest: { include: { _count: { select: { tasks: true } }, enrolments: { where: { userId }, take: 1 } } },
  };
  const task = isUuid(taskId) ? await tx.task.findUnique({ where, include }) : null;
  if (task === null) throw new AppError('NOT_FOUND', `There is no task ${JSON.stringify(taskId)}.`);
  if (task.quest.enrolments.length > 0) return task;
  throw new AppError('CONFLICT', `The quest ${JSON.stringify(task.quest.title)} was not started.`);
}

/** That the user completed the task; null: not yet. */
export function findCompletion({ tx }: Unit, task: Task, userId: string): Promise<TaskCompletion | null> {
  const key = { organizationId: task.organizationId, userId, taskId: task.id };
  return tx.taskCompletion.findUnique({ where: { organizationId_userId_taskId: key } });
}

/** Completes a task of a quest that was started, in the caller's transaction. Whether it may count, the caller has asked. */
export async function complete(unit: Unit, context: LearningContext, learning: Learning): Promise<Completed> {
  const { task, userId } = learning;
  const completion = await insertCompletion(unit, context, learning);
  if (completion === null) {
    // Another one did, between the look and the insert, which has waited for its end.
    const before = await findCompletion(unit, task, userId);
    if (before === null) throw new Error('A completion is neither new nor there.');
    return unchanged(unit, before);
  }
  const at = completion.completedAt;
  const enrolment = await countTask(unit, completion, task.quest);
  const isLast = enrolment.completedAt !== null;
  await countForLearner(unit, completion, isLast ? task.quest : undefined);
  const badges = await awardByRule(unit, { organizationId: task.organizationId, userId, now: at });
  const events = [
    taskCompleted(task, { userId, at }),
    ...(isLast
      ? [questCompleted(task.quest, { userId, at, tasks: enrolment.tasksCompleted, xp: enrolment.xpEarned })]
      : []),
    ...badges.map((badge) => badgeEarned(badge, { userId, at })),
  ];
  await emitInTransaction(unit, task.organizationId, events, context);
  return { completion, enrolment, isNew: true, questCompleted: isLast, badgesEarned: badges };
}

async function unchanged({ tx }: Unit, completion: TaskCompletion): Promise<Completed> {
  const enrolment = await tx.enrolment.findUniqueOrThrow({ where: enrolmentKey(completion) });
  return { completion, enrolment, isNew: false, questCompleted: false, badgesEarned: [] };
}

/** Null: it was there already. Waits for another transaction that is about to insert it. */
async function insertCompletion(
  { tx }: Unit,
  { viewer, clock }: LearningContext,
  { task, userId }: Learning,
): Promise<TaskCompletion | null> {
  const { organizationId, id: taskId, questId, pillar, xp, requiresApproval } = task;
  const row = {
    organizationId,
    userId,
    taskId,
    questId,
    pillar,
    xp,
    completedAt: clock.now(),
    approvedById: requiresApproval ? viewer.userId : null,
  };
  const [completion] = await tx.taskCompletion.createManyAndReturn({ data: [row], skipDuplicates: true });
  return completion ?? null;
}

function enrolmentKey({ organizationId, userId, questId }: TaskCompletion) {
  return { organizationId_userId_questId: { organizationId, userId, questId } };
}

/** The enrolment with the task counted; completed, with the XP of the quest, when it was the last one. */
async function countTask(
  { tx }: Unit,
  completion: TaskCompletion,
  { xp, _count }: TaskOfQuest['quest'],
): Promise<Enrolment> {
  const where = enrolmentKey(completion);
  const data = { tasksCompleted: { increment: 1 }, xpEarned: { increment: completion.xp } };
  const counted = await tx.enrolment.update({ where, data });
  if (counted.tasksCompleted < _count.tasks) return counted;
  return tx.enrolment.update({
    where,
    data: { completedAt: completion.completedAt, xpEarned: { increment: xp } },
  });
}

async function countForLearner(
  { tx }: Unit,
  { organizationId, userId, pillar, xp }: TaskCompletion,
  quest: Quest | undefined,
): Promise<void> {
  const earned: readonly PillarXp[] = [{ pillar, xp }, ...(quest === undefined ? [] : [quest])];
  await tx.learner.update({
    where: { organizationId_userId: { organizationId, userId } },
    data: {
      tasksCompleted: { increment: 1 },
      ...(quest === undefined ? {} : { questsCompleted: { increment: 1 } }),
      ...xpIncrements(earned),
    },
  });
}
