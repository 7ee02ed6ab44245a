/** What is told of learning: the events, in the words of the catalogue. */
import type { EventTypeName } from '../events/event-type.ts';
import type { Badge, Grade, Quest, Submission, Task } from '../generated/prisma/client.ts';
import { pillarName } from './pillar.ts';

/** An event as `emit` takes it. */
export type LearningEvent = {
  readonly type: EventTypeName;
  readonly data: Readonly<Record<string, unknown>>;
  readonly occurredAt: Date;
};

export type At = { readonly userId: string; readonly at: Date };

export function taskSubmitted(
  task: Pick<Task, 'id' | 'questId' | 'title'>,
  { id, userId, submittedAt }: Pick<Submission, 'id' | 'userId' | 'submittedAt'>,
): LearningEvent {
  const data = { ...taskData(task, userId), submission_id: id, submitted_at: submittedAt.toISOString() };
  return { type: 'task.submitted', data, occurredAt: submittedAt };
}

export function taskCompleted(
  task: Pick<Task, 'id' | 'questId' | 'title' | 'xp' | 'pillar'>,
  { userId, at }: At,
): LearningEvent {
  const data = {
    ...taskData(task, userId),
    xp_awarded: task.xp,
    pillar: pillarName(task.pillar),
    completed_at: at.toISOString(),
  };
  return { type: 'task.completed', data, occurredAt: at };
}

export function questCompleted(
  quest: Pick<Quest, 'id' | 'title'>,
  { userId, at, tasks, xp }: At & { readonly tasks: number; readonly xp: number },
): LearningEvent {
  const data = {
    user_id: userId,
    quest_id: quest.id,
    quest_title: quest.title,
    tasks_completed: tasks,
    total_xp_earned: xp,
    completed_at: at.toISOString(),
  };
  return { type: 'quest.completed', data, occurredAt: at };
}

export function badgeEarned({ id, name }: Pick<Badge, 'id' | 'name'>, { userId, at }: At): LearningEvent {
  const data = { user_id: userId, badge_id: id, badge_name: name, earned_at: at.toISOString() };
  return { type: 'badge.earned', data, occurredAt: at };
}

export function gradeUpdated(
  { userId, questId, grade, gradedById, updatedAt }: Omit<Grade, 'organizationId' | 'version'>,
  previous: number | undefined,
): LearningEvent {
  const data = {
    user_id: userId,
    quest_id: questId,
    grade,
    ...(previous === undefined ? {} : { previous_grade: previous }),
    ...(gradedById === null ? {} : { graded_by: gradedById }),
    updated_at: updatedAt.toISOString(),
  };
  return { type: 'grade.updated', data, occurredAt: updatedAt };
}

function taskData({ id, questId, title }: Pick<Task, 'id' | 'questId' | 'title'>, userId: string) {
  return { user_id: userId, task_id: id, quest_id: questId, task_title: title };
}
