/** What the class of the past week has done, as it grows, and as rows. */
import type { Grade, Pillar, Submission } from '../generated/prisma/client.ts';
import type { Chance } from './chance.ts';
import type { PlannedBadge, PlannedQuest } from './curriculum.ts';

type PlannedTask = PlannedQuest['tasks'][number];
export type SubmissionRecord = Omit<Submission, 'organizationId'>;
export type GradeRecord = Omit<Grade, 'organizationId'>;
export type CompletionRecord = {
  readonly task: PlannedTask;
  readonly completedAt: Date;
  readonly approvedById: string | null;
};
export type AwardRecord = {
  readonly badgeId: string;
  readonly earnedAt: Date;
  readonly awardedById: string | null;
};

/** A learner in a quest. */
export type EnrolmentRecord = {
  readonly learner: LearnerRecord;
  readonly quest: PlannedQuest;
  readonly startedAt: Date;
  readonly completedAt: Date | null;
  readonly xpEarned: number;
  readonly completions: readonly CompletionRecord[];
  readonly submissions: readonly SubmissionRecord[];
  readonly waiting: SubmissionRecord | undefined;
  readonly grade: GradeRecord | undefined;
  readonly submit: (task: PlannedTask, at: Date, chance: Chance) => SubmissionRecord;
  readonly complete: (task: PlannedTask, at: Date, educatorId: string) => void;
  readonly setGrade: (value: number, at: Date, educatorId: string) => GradeRecord;
};

export type LearnerRecord = {
  readonly userId: string;
  /** Which of the learners it was to come in. */
  readonly order: number;
  readonly questsCompleted: number;
  readonly enrolments: readonly EnrolmentRecord[];
  readonly awards: readonly AwardRecord[];
  readonly has: (badgeId: string) => boolean;
  readonly xpIn: (pillar: Pillar) => number;
  readonly award: (badge: PlannedBadge, at: Date, educatorId: string | null) => void;
};

export type Records = {
  readonly learners: () => readonly LearnerRecord[];
  /** Makes one of who is none yet. */
  readonly learner: (userId: string) => LearnerRecord;
  readonly enrol: (learner: LearnerRecord, quest: PlannedQuest, at: Date) => EnrolmentRecord;
};

export function createRecords(): Records {
  const learners = new Map<string, LearnerRecord & { readonly enrolments: EnrolmentRecord[] }>();
  const learner = (userId: string) => {
    const known = learners.get(userId) ?? createLearner(userId, learners.size);
    learners.set(userId, known);
    return known;
  };
  return {
    learners: () => [...learners.values()],
    learner,
    enrol: ({ userId }, quest, at) => {
      const owner = learner(userId);
      const enrolment = createEnrolment(owner, quest, at);
      owner.enrolments.push(enrolment);
      return enrolment;
    },
  };
}

function createLearner(userId: string, order: number) {
  const enrolments: EnrolmentRecord[] = [];
  const awards: AwardRecord[] = [];
  return {
    userId,
    order,
    enrolments,
    awards,
    get questsCompleted() {
      return enrolments.filter(({ completedAt }) => completedAt !== null).length;
    },
    has: (badgeId: string) => awards.some((award) => award.badgeId === badgeId),
    xpIn: (pillar: Pillar) => enrolments.reduce((sum, enrolment) => sum + xpOf(enrolment, pillar), 0),
    award: ({ id }: PlannedBadge, at: Date, educatorId: string | null) =>
      void awards.push({ badgeId: id, earnedAt: at, awardedById: educatorId }),
  };
}

function xpOf({ quest, completedAt, completions }: EnrolmentRecord, pillar: Pillar): number {
  const own = completedAt !== null && quest.pillar === pillar ? quest.xp : 0;
  const done = completions.filter(({ task }) => task.pillar === pillar);
  return done.reduce((sum, { task }) => sum + task.xp, own);
}

function createEnrolment(learner: LearnerRecord, quest: PlannedQuest, startedAt: Date): EnrolmentRecord {
  const completions: CompletionRecord[] = [];
  const submissions: SubmissionRecord[] = [];
  let grade: GradeRecord | undefined;
  const { userId } = learner;
  const waiting = () => submissions.find(({ status }) => status === 'SUBMITTED');
  return {
    learner,
    quest,
    startedAt,
    completions,
    submissions,
    get waiting() {
      return waiting();
    },
    get completedAt() {
      return completions.length < quest.tasks.length ? null : (completions.at(-1)?.completedAt ?? null);
    },
    get xpEarned() {
      const own = completions.length < quest.tasks.length ? 0 : quest.xp;
      return completions.reduce((sum, { task }) => sum + task.xp, own);
    },
    get grade() {
      return grade;
    },
    submit: (task, at, chance) => {
      const submission = newSubmission(task, userId, { at, chance });
      submissions.push(submission);
      return submission;
    },
    complete: (task, at, educatorId) => {
      const index = submissions.findIndex(({ status }) => status === 'SUBMITTED');
      const submitted = submissions[index];
      if (submitted !== undefined) {
        submissions[index] = { ...submitted, status: 'APPROVED', reviewedAt: at, reviewedById: educatorId };
      }
      completions.push({ task, completedAt: at, approvedById: task.requiresApproval ? educatorId : null });
    },
    setGrade: (value, at, educatorId) => {
      const version = (grade?.version ?? 0) + 1;
      grade = { userId, questId: quest.id, grade: value, version, gradedById: educatorId, updatedAt: at };
      return grade;
    },
  };
}

const WORDS = [
  'Here is what I found.',
  'Second attempt, with pictures.',
  'We did it as a group of three.',
  'Done!',
] as const;

function newSubmission(
  { id: taskId, questId, title }: PlannedTask,
  userId: string,
  { at, chance }: { readonly at: Date; readonly chance: Chance },
): SubmissionRecord {
  return {
    id: idAt(at, chance),
    userId,
    questId,
    taskId,
    text: chance.pick(WORDS),
    link: null,
    fileName: chance.happens(0.4) ? `${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}.pdf` : null,
    status: 'SUBMITTED',
    submittedAt: at,
    reviewedAt: null,
    reviewedById: null,
    feedback: null,
  };
}

/** A UUIDv7 of a time, by chance, so that the same chance gives the same one. */
function idAt(at: Date, chance: Chance): string {
  const time = at.getTime().toString(16).padStart(12, '0');
  const random = () => chance.between(0, 0xffffff).toString(16).padStart(6, '0');
  const [a, b, c] = [random(), random(), random()];
  return `${time.slice(0, 8)}-${time.slice(8)}-7${a.slice(0, 3)}-8${a.slice(3)}-${b}${c}`;
}
