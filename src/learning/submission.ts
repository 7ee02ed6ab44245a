/** Submissions: work that is handed in for a task, and its review. */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import { emitInTransaction } from '../events/emit.ts';
import type { Submission } from '../generated/prisma/client.ts';
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { type Completed, complete, findCompletion, requireStarted } from './completion.ts';
import { type LearningContext, learnerIdOf, MAY_GRADE, MAY_LEARN } from './context.ts';
import { taskSubmitted } from './events.ts';
import { lineFaults, normalLines, textFaults } from './text.ts';

export type Work = {
  readonly text?: string | undefined;
  /** http or https. */
  readonly link?: string | undefined;
  /** What the file is called; the file itself lies elsewhere. */
  readonly fileName?: string | undefined;
};

export type SubmissionInput = Work & {
  readonly taskId: string;
  /** Of whom; the viewer itself if left out. */
  readonly userId?: string | undefined;
};

const CREATED = z.object({ id: z.string() });
const MAX_TEXT_CHARACTERS = 50_000;
const MAX_LINK_CHARACTERS = 2_000;
const MAX_FILE_NAME_CHARACTERS = 255;
const MAX_FEEDBACK_CHARACTERS = 10_000;

/**
 * Hands in work for a task of a quest that was started; at least one of text, link and file name. The same
 * `idempotencyKey` within 24 hours answers the submission of the first time. Errors: `FORBIDDEN`, `VALIDATION`,
 * `NOT_FOUND`; `CONFLICT` when the quest was not started, the task is completed, or a submission waits for its review.
 */
export async function submitTask(
  context: LearningContext,
  input: SubmissionInput,
  idempotencyKey?: string,
): Promise<Submission> {
  authorize(context.viewer, MAY_LEARN);
  const userId = learnerIdOf(context.viewer, input.userId);
  const submission = { taskId: input.taskId, userId, work: parseWork(input) };
  const request = { operation: 'submitTask', key: idempotencyKey, input: submission, answer: CREATED };
  return context.write(async (unit) => {
    const { answer } = await once(unit, context, request, () => submit(unit, context, submission));
    return requireSubmission(unit, context, answer.id);
  });
}

async function submit(
  unit: Unit,
  context: LearningContext,
  { taskId, userId, work }: { readonly taskId: string; readonly userId: string; readonly work: Work },
): Promise<z.infer<typeof CREATED>> {
  const task = await requireStarted(unit, context, { taskId, userId });
  if ((await findCompletion(unit, task, userId)) !== null) {
    throw new AppError('CONFLICT', 'The task is completed already.');
  }
  const { organizationId, questId } = task;
  const now = context.clock.now();
  const row = { organizationId, id: newId(), userId, questId, taskId, ...toRow(work), submittedAt: now };
  // With a conflict as a value, because an error would end the transaction.
  const [created] = await unit.tx.submission.createManyAndReturn({ data: [row], skipDuplicates: true });
  if (created === undefined)
    throw new AppError('CONFLICT', 'What was submitted before waits for its review.');
  await emitInTransaction(unit, organizationId, [taskSubmitted(task, created)], context);
  return { id: created.id };
}

export type Review = {
  readonly id: string;
  readonly decision: 'APPROVED' | 'RETURNED';
  readonly feedback?: string | undefined;
};

export type Reviewed = {
  readonly submission: Submission;
  /** What followed from an approval; null for what was returned, or was reviewed before. */
  readonly completed: Completed | null;
};

/**
 * Approves what was submitted, which completes the task, or returns it, so that it can be submitted anew. A review that
 * decides what was decided already changes nothing. Errors: `FORBIDDEN`, `VALIDATION` (path `feedback`), `NOT_FOUND`;
 * `CONFLICT` when it was decided otherwise.
 */
export async function reviewSubmission(context: LearningContext, review: Review): Promise<Reviewed> {
  authorize(context.viewer, MAY_GRADE);
  const feedback = normalLines(review.feedback ?? '');
  const faults = textFaults(['feedback'], feedback, MAX_FEEDBACK_CHARACTERS);
  if (faults.length > 0) throw validationError(faults);
  return context.write(async (unit) => {
    const before = await requireSubmission(unit, context, review.id);
    const submission = await decide(unit, context, { ...review, feedback });
    if (submission === null)
      return { submission: await decidedAlready(unit, context, review), completed: null };
    if (review.decision === 'RETURNED') return { submission, completed: null };
    const task = await requireStarted(unit, context, before);
    return { submission, completed: await complete(unit, context, { task, userId: before.userId }) };
  });
}

/** Null: somebody else has decided. */
async function decide(
  { tx }: Unit,
  { viewer, clock }: LearningContext,
  { id, decision, feedback }: Review,
): Promise<Submission | null> {
  const [decided] = await tx.submission.updateManyAndReturn({
    where: { organizationId: viewer.organizationId, id, status: 'SUBMITTED' },
    data: {
      status: decision,
      reviewedAt: clock.now(),
      reviewedById: viewer.userId,
      feedback: feedback === '' || feedback === undefined ? null : feedback,
    },
  });
  return decided ?? null;
}

async function decidedAlready(unit: Unit, context: LearningContext, review: Review): Promise<Submission> {
  const submission = await requireSubmission(unit, context, review.id);
  if (submission.status === review.decision) return submission;
  const what = submission.status === 'APPROVED' ? 'approved' : 'returned';
  throw new AppError('CONFLICT', `The submission was ${what} already.`);
}

async function requireSubmission(
  { tx }: Unit,
  { viewer }: Pick<RequestContext, 'viewer'>,
  id: string,
): Promise<Submission> {
  const where = { organizationId_id: { organizationId: viewer.organizationId, id } };
  const submission = isUuid(id) ? await tx.submission.findUnique({ where }) : null;
  if (submission === null) throw new AppError('NOT_FOUND', `There is no submission ${JSON.stringify(id)}.`);
  return submission;
}

function toRow({ text, link, fileName }: Work) {
  return { text: text ?? null, link: link ?? null, fileName: fileName ?? null };
}

/** The work as it is stored; what is empty counts as left out. Throws `VALIDATION` with every fault. */
function parseWork({ text = '', link = '', fileName = '' }: Work): Work {
  const work = { text: normalLines(text), link: link.trim(), fileName: fileName.trim() };
  const faults: readonly Fault[] = [
    ...textFaults(['text'], work.text, MAX_TEXT_CHARACTERS),
    ...linkFaults(work.link),
    ...(work.fileName === '' ? [] : lineFaults(['file_name'], work.fileName, MAX_FILE_NAME_CHARACTERS)),
    ...(work.text + work.link + work.fileName === ''
      ? [{ path: ['text'], message: 'Expected a text, a link or a file name.' }]
      : []),
  ];
  if (faults.length > 0) throw validationError(faults);
  return Object.fromEntries(Object.entries(work).filter(([, value]) => value !== ''));
}

/** Teachers click on it: nothing but http and https is one. */
function linkFaults(link: string): readonly Fault[] {
  if (link === '') return [];
  const url = URL.canParse(link) ? new URL(link) : undefined;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (isWeb && link.length <= MAX_LINK_CHARACTERS && !/\s/.test(link)) return [];
  return [{ path: ['link'], message: 'Expected a URL such as https://docs.example/report.' }];
}
