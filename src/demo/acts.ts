/** What the class does while the demo runs: real operations of the learning core, on behalf of a student or a teacher. */
import { requestContext, type Viewer } from '../accounts/viewer.ts';
import { NO_ORIGIN } from '../audit/entry.ts';
import type { EmitDependencies } from '../events/emit.ts';
import type { Enrolment, Submission, Task } from '../generated/prisma/client.ts';
import { completeTask } from '../learning/completion.ts';
import type { LearningContext } from '../learning/context.ts';
import { startQuest } from '../learning/enrolment.ts';
import { recordGrade } from '../learning/grade.ts';
import { changeQuestStatus, createQuest } from '../learning/quest.ts';
import { reviewSubmission, submitTask } from '../learning/submission.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import type { Tenancy } from '../platform/database/tenancy.ts';
import type { Chance } from './chance.ts';
import type { Cast } from './classroom.ts';
import { questNumber } from './curriculum.ts';

export type ActDependencies = EmitDependencies & {
  readonly tenancy: Tenancy;
  readonly organizationId: string;
  readonly cast: Cast;
  readonly keys: MasterKeys;
};

/** Of the acts, so many in a hundred are grades; of the others, a teacher first looks at what was submitted. */
const GRADES = 0.15;
const REVIEWS = 0.3;
const RETURNS = 0.1;
/** With work that needs no approval students now and then hand something in all the same. */
const SUBMITS = 0.4;

/** Lets one thing happen. What it is hangs on chance and on how far the class is. */
export async function act(deps: ActDependencies, chance: Chance): Promise<void> {
  const teacher = contextOf(deps, 'EDUCATOR', chance.pick(deps.cast.educators));
  if (chance.happens(GRADES) && (await grade(teacher, deps.cast, chance))) return;
  if (chance.happens(REVIEWS) && (await review(teacher, chance))) return;
  const studentId = chance.pick(deps.cast.students);
  const student = contextOf(deps, 'STUDENT', studentId);
  const enrolment = (await findOpen(student, studentId)) ?? (await startNext(student, teacher));
  await workOn(student, enrolment, chance, teacher);
}

/** As if the person had signed in. */
function contextOf(deps: ActDependencies, role: 'EDUCATOR' | 'STUDENT', userId: string): LearningContext {
  const { organizationId, clock } = deps;
  const expiresAt = new Date(clock.now().getTime() + 60_000);
  const viewer: Viewer = {
    organizationId,
    role,
    userId,
    clientId: null,
    scopes: null,
    expiresAt,
    tokenId: null,
  };
  return { ...deps, ...requestContext(deps.tenancy, viewer, NO_ORIGIN) };
}

function findOpen({ read }: LearningContext, userId: string): Promise<Enrolment | null> {
  return read((tx) =>
    tx.enrolment.findFirst({ where: { userId, completedAt: null }, orderBy: { id: 'asc' } }),
  );
}

/** Starts the oldest quest that the student has not; when there is none, the school comes up with another one. */
async function startNext(student: LearningContext, teacher: LearningContext): Promise<Enrolment> {
  const userId = student.viewer.userId ?? '';
  const next = await student.read((tx) =>
    tx.quest.findFirst({
      where: { status: 'PUBLISHED', enrolments: { none: { userId } } },
      orderBy: { id: 'asc' },
      select: { id: true },
    }),
  );
  return startQuest(student, { questId: next?.id ?? (await publishNext(teacher)) });
}

async function publishNext(teacher: LearningContext): Promise<string> {
  const count = await teacher.read((tx) => tx.quest.count());
  const { id } = await createQuest(teacher, questNumber(count), `demo-quest-${count}`);
  await changeQuestStatus(teacher, { id, status: 'PUBLISHED' });
  return id;
}

async function workOn(
  student: LearningContext,
  { userId, questId }: Enrolment,
  chance: Chance,
  teacher: LearningContext,
): Promise<void> {
  const task = await findNextTask(student, userId, questId);
  const waiting = await findWaiting(student, task);
  if (waiting !== null && task.requiresApproval) await decide(teacher, waiting, chance);
  else if (waiting === null && (task.requiresApproval || chance.happens(SUBMITS))) {
    await submitTask(student, { taskId: task.id, text: 'Here is what I found.' });
  } else await completeTask(student, { taskId: task.id });
}

/** A quest that is not completed has one. */
function findNextTask({ read }: LearningContext, userId: string, questId: string): Promise<Task> {
  return read((tx) =>
    tx.task.findFirstOrThrow({
      where: { questId, completions: { none: { userId } } },
      orderBy: { position: 'asc' },
    }),
  );
}

function findWaiting({ read, viewer }: LearningContext, { id }: Task): Promise<Submission | null> {
  const where = { taskId: id, userId: viewer.userId ?? '', status: 'SUBMITTED' } as const;
  return read((tx) => tx.submission.findFirst({ where }));
}

/** Looks at what has waited longest. False: nothing waits. */
async function review(teacher: LearningContext, chance: Chance): Promise<boolean> {
  const waiting = await teacher.read((tx) =>
    tx.submission.findFirst({ where: { status: 'SUBMITTED' }, orderBy: { id: 'asc' } }),
  );
  if (waiting === null) return false;
  await decide(teacher, waiting, chance);
  return true;
}

async function decide(teacher: LearningContext, { id }: Submission, chance: Chance): Promise<void> {
  const returns = chance.happens(RETURNS);
  await reviewSubmission(teacher, {
    id,
    decision: returns ? 'RETURNED' : 'APPROVED',
    feedback: returns ? 'Almost: say how you know.' : 'Well done.',
  });
}

/** Grades the latest quest of a student. False: the student has started none. */
async function grade(teacher: LearningContext, { students }: Cast, chance: Chance): Promise<boolean> {
  const userId = chance.pick(students);
  const latest = await teacher.read((tx) =>
    tx.enrolment.findFirst({ where: { userId }, orderBy: { id: 'desc' }, select: { questId: true } }),
  );
  if (latest === null) return false;
  await recordGrade(teacher, { userId, questId: latest.questId, grade: chance.between(110, 200) / 2 });
  return true;
}
