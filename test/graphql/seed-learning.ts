/** What a student has learned, written directly: one of everything. */
import { newId } from '../../src/lib/ids.ts';
import type { TestServer } from './support.ts';

export type SeededLearning = Readonly<
  Record<'userId' | 'questId' | 'taskId' | 'enrolmentId' | 'submissionId' | 'badgeId', string>
>;

/** A student of the organization who has completed the first of two tasks of a published quest, with a badge and a grade. */
export async function seedLearning(
  { sql }: Pick<TestServer, 'sql'>,
  organizationId: string,
  userId = newId(),
): Promise<SeededLearning> {
  const [questId, taskId, enrolmentId, submissionId, badgeId] = [newId(), newId(), newId(), newId(), newId()];
  const insert = (table: string, row: Readonly<Record<string, unknown>>) => {
    const names = Object.keys(row);
    const places = names.map((_, index) => `$${index + 1}`);
    return sql(
      `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places.join(', ')})`,
      Object.values(row),
    );
  };
  const key = { organization_id: organizationId };
  const mine = { ...key, user_id: userId };
  await insert('users', { id: userId, email: `${userId}@north.example`, name: 'Ada' });
  await insert('memberships', { ...mine, role: 'STUDENT' });
  await insert('quests', {
    ...key,
    id: questId,
    title: 'The river',
    description: 'How is it?',
    pillar: 'STEM',
    xp: 100,
    status: 'PUBLISHED',
  });
  const task = { ...key, quest_id: questId, pillar: 'STEM', xp: 50 };
  await insert('tasks', { ...task, id: taskId, position: 1, title: 'Take a sample' });
  await insert('tasks', {
    ...task,
    id: newId(),
    position: 2,
    title: 'Write the report',
    requires_approval: true,
  });
  await insert('learners', { ...mine, tasks_completed: 1, stem_xp: 50 });
  const enrolment = { ...mine, id: enrolmentId, quest_id: questId, started_at: new Date() };
  await insert('enrolments', { ...enrolment, tasks_completed: 1, xp_earned: 50 });
  const done = { ...mine, quest_id: questId, task_id: taskId };
  await insert('submissions', { ...done, id: submissionId, text: 'Cold.', submitted_at: new Date() });
  await insert('task_completions', { ...done, pillar: 'STEM', xp: 50, completed_at: new Date() });
  await insert('badges', { ...key, id: badgeId, name: 'Naturalist', description: '' });
  await insert('badge_awards', { ...mine, badge_id: badgeId, earned_at: new Date() });
  await insert('grades', { ...mine, quest_id: questId, grade: 92.5, updated_at: new Date() });
  return { userId, questId, taskId, enrolmentId, submissionId, badgeId };
}
