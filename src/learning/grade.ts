/** Grades: one for each learner and quest. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import { record } from '../audit/record.ts';
import { emitInTransaction } from '../events/emit.ts';
import type { Grade } from '../generated/prisma/client.ts';
import { AppError, validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { type LearningContext, MAY_GRADE, MAY_READ_GRADES } from './context.ts';
import { gradeUpdated } from './events.ts';

export type GradeInput = {
  readonly userId: string;
  readonly questId: string;
  /** 0 to 100. */
  readonly grade: number;
  /** The version that is to be changed; 0: there is none yet. */
  readonly expectedVersion?: number | undefined;
};

/**
 * Records the grade of a learner for a quest it has started; the same grade again changes nothing and tells nothing.
 * Errors: `FORBIDDEN`, `VALIDATION` (path `grade`), `NOT_FOUND`, `CONFLICT` of the version.
 */
export async function recordGrade(context: LearningContext, input: GradeInput): Promise<Grade> {
  authorize(context.viewer, MAY_GRADE);
  // NaN, too, is none.
  if (!(input.grade >= 0 && input.grade <= 100)) {
    throw validationError([{ path: ['grade'], message: 'Expected a number from 0 to 100.' }]);
  }
  return context.write(async (unit) => {
    await lockEnrolment(unit, context, input);
    const before = await unit.tx.grade.findUnique({ where: keyOf(context, input) });
    requireVersion(before, input);
    if (before?.grade === input.grade) return before;
    const grade = await store(unit, context, input, before);
    await emitInTransaction(unit, grade.organizationId, [gradeUpdated(grade, before?.grade)], context);
    await record(unit.tx, context, grade.updatedAt, {
      action: 'grade.recorded',
      target: { type: 'User', id: grade.userId },
      changes: {
        quest_id: { from: grade.questId, to: grade.questId },
        grade: { from: before?.grade ?? null, to: grade.grade },
      },
    });
    return grade;
  });
}

async function store(
  { tx }: Unit,
  context: LearningContext,
  { userId, questId, grade }: GradeInput,
  before: Grade | null,
): Promise<Grade> {
  const data = { grade, gradedById: context.viewer.userId, updatedAt: context.clock.now() };
  if (before !== null) {
    return tx.grade.update({
      where: keyOf(context, before),
      data: { ...data, version: { increment: 1 } },
    });
  }
  const { organizationId } = context.viewer;
  const [created] = await tx.grade.createManyAndReturn({
    data: [{ organizationId, userId, questId, ...data }],
  });
  if (created === undefined) throw new Error('A grade was created without an answer.');
  return created;
}

/** The enrolment, locked to the end of the transaction: those who grade the same take turns. Throws `NOT_FOUND`. */
async function lockEnrolment(
  { tx }: Unit,
  { viewer }: LearningContext,
  { userId, questId }: GradeInput,
): Promise<void> {
  const locked =
    isUuid(userId) && isUuid(questId)
      ? await tx.$executeRaw`
          SELECT FROM enrolments WHERE organization_id = ${viewer.organizationId}::uuid
            AND user_id = ${userId}::uuid AND quest_id = ${questId}::uuid FOR UPDATE`
      : 0;
  if (locked === 0) {
    throw new AppError('NOT_FOUND', 'There is no such quest that this member has started.');
  }
}

function requireVersion(before: Grade | null, { expectedVersion }: GradeInput): void {
  const currentVersion = before?.version ?? 0;
  if (expectedVersion === undefined || expectedVersion === currentVersion) return;
  throw new AppError(
    'CONFLICT',
    `The grade was changed meanwhile: it has version ${currentVersion}, not ${expectedVersion}.`,
    { currentVersion },
  );
}

function keyOf(
  { viewer }: Pick<RequestContext, 'viewer'>,
  { userId, questId }: Pick<Grade, 'userId' | 'questId'>,
) {
  return { organizationId_userId_questId: { organizationId: viewer.organizationId, userId, questId } };
}

/** The grades of these enrolments that the viewer sees, by the enrolment's id, in one query. */
export async function findGradesOf(
  context: RequestContext,
  enrolmentIds: readonly string[],
): Promise<ReadonlyMap<string, Grade>> {
  authorize(context.viewer, MAY_READ_GRADES);
  const where = {
    organizationId: context.viewer.organizationId,
    enrolment: { id: { in: [...enrolmentIds] } },
  };
  const include = { enrolment: { select: { id: true } } };
  const grades = await context.read((tx) => tx.grade.findMany({ where, include }));
  return new Map(grades.map(({ enrolment, ...grade }) => [enrolment.id, grade]));
}
