/** What resolvers ask the learning core for one by one and get together. */
import { findUsers } from '../accounts/directory.ts';
import type { RequestContext } from '../accounts/viewer.ts';
import type {
  Badge,
  BadgeAward,
  Enrolment,
  Grade,
  Learner,
  Quest,
  Submission,
  Task,
  TaskCompletion,
  User,
} from '../generated/prisma/client.ts';
import { findBadges, listAwardsOf } from '../learning/badge.ts';
import { findEnrolments, listCompletionsOf } from '../learning/enrolment.ts';
import { findGradesOf } from '../learning/grade.ts';
import { findLearners } from '../learning/learner.ts';
import { findQuests, findTasks, listTasksOf } from '../learning/quest-list.ts';
import { findSubmissions } from '../learning/submission-list.ts';
import { type Batch, createBatch } from './batch.ts';

export type LearningLoaders = {
  readonly badge: Batch<Badge>;
  readonly enrolment: Batch<Enrolment>;
  /** By the user's id. */
  readonly learner: Batch<Learner>;
  readonly quest: Batch<Quest>;
  readonly submission: Batch<Submission>;
  readonly task: Batch<Task>;
  readonly user: Batch<User>;
  /** By the user's id. */
  readonly awardsOf: Batch<readonly BadgeAward[]>;
  /** By the enrolment's id. */
  readonly completionsOf: Batch<readonly TaskCompletion[]>;
  /** By the enrolment's id. */
  readonly gradeOf: Batch<Grade>;
  /** By the quest's id. */
  readonly tasksOf: Batch<readonly Task[]>;
};

export function createLearningLoaders(context: RequestContext): LearningLoaders {
  return {
    badge: createBatch(async (ids) => by('id', await findBadges(context, ids))),
    enrolment: createBatch(async (ids) => by('id', await findEnrolments(context, ids))),
    learner: createBatch(async (ids) => by('userId', await findLearners(context, ids))),
    quest: createBatch(async (ids) => by('id', await findQuests(context, ids))),
    submission: createBatch(async (ids) => by('id', await findSubmissions(context, ids))),
    task: createBatch(async (ids) => by('id', await findTasks(context, ids))),
    user: createBatch(async (ids) => by('id', await findUsers(context, ids))),
    awardsOf: createBatch((ids) => listAwardsOf(context, ids)),
    completionsOf: createBatch((ids) => listCompletionsOf(context, ids)),
    gradeOf: createBatch((ids) => findGradesOf(context, ids)),
    tasksOf: createBatch((ids) => listTasksOf(context, ids)),
  };
}

function by<K extends string, T extends Readonly<Record<K, string>>>(
  key: K,
  rows: readonly T[],
): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [row[key], row]));
}
