/** The learning of the demo as rows: the curriculum, and what the class has done with it. */
import type { PoolClient, QueryConfig } from 'pg';
import { createIdGenerator } from '../lib/ids.ts';
import type { Records } from './classroom-records.ts';
import type { Curriculum } from './curriculum.ts';

const MONTH_MS = 30 * 86_400_000;

/** Stores quests, tasks and badges, as of a month ago. */
export async function seedCurriculum(
  tx: PoolClient,
  organizationId: string,
  { quests, badges }: Curriculum,
  now: Date,
): Promise<void> {
  const createdAt = new Date(now.getTime() - MONTH_MS);
  const key = { organization_id: organizationId };
  await tx.query(
    insertRows(
      'quests',
      quests.map(({ id, title, description, pillar, xp, status }) => ({
        ...key,
        id,
        title,
        description,
        pillar,
        xp,
        status,
        created_at: createdAt,
        updated_at: createdAt,
      })),
    ),
  );
  const tasks = quests.flatMap((quest) => quest.tasks);
  await tx.query(
    insertRows(
      'tasks',
      tasks.map(({ id, questId, position, title, pillar, xp, requiresApproval }) => ({
        ...key,
        id,
        position,
        title,
        pillar,
        xp,
        quest_id: questId,
        requires_approval: requiresApproval,
      })),
    ),
  );
  await tx.query(
    insertRows(
      'badges',
      badges.map((badge) => ({ ...key, ...badge, created_at: createdAt })),
    ),
  );
}

/** Stores what the class has done. */
export async function seedRecords(tx: PoolClient, organizationId: string, records: Records): Promise<void> {
  const key = { organization_id: organizationId };
  const learners = records.learners();
  const enrolments = learners.flatMap((learner) => learner.enrolments);
  let time = 0;
  const nextId = createIdGenerator(() => time);
  const inOrder = enrolments.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  await tx.query(
    insertRows(
      'learners',
      learners.map((learner) => ({
        ...key,
        user_id: learner.userId,
        quests_completed: learner.questsCompleted,
        tasks_completed: learner.enrolments.reduce((sum, { completions }) => sum + completions.length, 0),
        stem_xp: learner.xpIn('STEM'),
        arts_xp: learner.xpIn('ARTS'),
        civics_xp: learner.xpIn('CIVICS'),
        communication_xp: learner.xpIn('COMMUNICATION'),
        wellness_xp: learner.xpIn('WELLNESS'),
      })),
    ),
  );
  await tx.query(
    insertRows(
      'enrolments',
      inOrder.map((enrolment) => {
        time = enrolment.startedAt.getTime();
        return {
          ...key,
          id: nextId(),
          user_id: enrolment.learner.userId,
          quest_id: enrolment.quest.id,
          started_at: enrolment.startedAt,
          tasks_completed: enrolment.completions.length,
          xp_earned: enrolment.xpEarned,
          completed_at: enrolment.completedAt,
        };
      }),
    ),
  );
  await tx.query(
    insertRows(
      'submissions',
      enrolments.flatMap(({ submissions }) =>
        submissions.map((one) => ({
          ...key,
          id: one.id,
          user_id: one.userId,
          quest_id: one.questId,
          task_id: one.taskId,
          text: one.text,
          file_name: one.fileName,
          status: one.status,
          submitted_at: one.submittedAt,
          reviewed_at: one.reviewedAt,
          reviewed_by_id: one.reviewedById,
        })),
      ),
    ),
  );
  await tx.query(
    insertRows(
      'task_completions',
      enrolments.flatMap(({ learner, completions }) =>
        completions.map(({ task, completedAt, approvedById }) => ({
          ...key,
          user_id: learner.userId,
          task_id: task.id,
          quest_id: task.questId,
          pillar: task.pillar,
          xp: task.xp,
          completed_at: completedAt,
          approved_by_id: approvedById,
        })),
      ),
    ),
  );
  await tx.query(
    insertRows(
      'badge_awards',
      learners.flatMap(({ userId, awards }) =>
        awards.map(({ badgeId, earnedAt, awardedById }) => ({
          ...key,
          user_id: userId,
          badge_id: badgeId,
          earned_at: earnedAt,
          awarded_by_id: awardedById,
        })),
      ),
    ),
  );
  await tx.query(
    insertRows(
      'grades',
      enrolments.flatMap(({ grade }) =>
        grade === undefined
          ? []
          : [
              {
                ...key,
                user_id: grade.userId,
                quest_id: grade.questId,
                grade: grade.grade,
                version: grade.version,
                graded_by_id: grade.gradedById,
                updated_at: grade.updatedAt,
              },
            ],
      ),
    ),
  );
}

type Row = Readonly<Record<string, unknown>>;

/** All rows of a table in one statement; they have the same columns, and lie in the order of the first one. */
function insertRows(table: string, rows: readonly Row[]): QueryConfig {
  const columns = Object.keys(rows[0] ?? { organization_id: '' }).join(', ');
  return {
    text: `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_recordset(NULL::${table}, $1)`,
    values: [JSON.stringify(rows)],
  };
}
