/** Submissions: work that was handed in, and its review. */
import { SubmissionStatus } from '../../generated/prisma/client.ts';
import { MAY_GRADE, MAY_READ_TASKS } from '../../learning/context.ts';
import { type Reviewed, reviewSubmission } from '../../learning/submission.ts';
import { countSubmissions, listSubmissions } from '../../learning/submission-list.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId, localId } from '../global-id.ts';
import { given, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

/** Registers Submission, Organization.submissions and reviewSubmission. */
export function addSubmission(builder: Builder): void {
  builder.enumType(SubmissionStatus, {
    name: 'SubmissionStatus',
    description: 'What has become of a submission.',
    values: {
      SUBMITTED: { description: 'It waits for its review.' },
      APPROVED: { description: 'It was approved, which completed the task.' },
      RETURNED: { description: 'It was returned: the learner may submit anew.' },
    },
  });
  addSubmissionType(builder);
  addSubmissions(builder);
  addReview(builder);
}

function addSubmissionType(builder: Builder): void {
  builder.objectType('Submission', {
    description: 'Work that was handed in for a task.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Submission', id) }),
      uuid: t.exposeString('id', { description: 'What events call it: submission_id.' }),
      status: t.expose('status', { type: SubmissionStatus, description: 'What has become of it.' }),
      text: t.exposeString('text', { nullable: true, description: 'What was written.' }),
      link: t.exposeString('link', { nullable: true, description: 'Where the work is to be seen.' }),
      fileName: t.exposeString('fileName', { nullable: true, description: 'What the file is called.' }),
      submittedAt: t.expose('submittedAt', { type: 'DateTime', description: 'When it was handed in.' }),
      reviewedAt: t.expose('reviewedAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it was reviewed; null until then.',
      }),
      feedback: t.exposeString('feedback', { nullable: true, description: 'What the review says.' }),
      task: t.field({
        ...access(MAY_READ_TASKS),
        type: 'Task',
        nullable: true,
        description: 'The task. Needs the scope read:tasks.',
        resolve: async ({ taskId }, _args, { features }) => (await features().loaders.task(taskId)) ?? null,
      }),
      learner: t.field({
        ...access(MAY_READ_TASKS),
        type: 'Learner',
        nullable: true,
        description: 'Who handed it in. Needs the scope read:tasks.',
        resolve: async ({ userId }, _args, { features }) =>
          (await features().loaders.learner(userId)) ?? null,
      }),
    }),
  });
  builder.connectionObject(
    { type: 'Submission', name: 'SubmissionConnection', description: 'A page of submissions.' },
    { name: 'SubmissionEdge', description: 'A submission in a list.' },
  );
}

function addSubmissions(builder: Builder): void {
  const filter = builder.inputType('SubmissionFilter', {
    description: 'Which submissions. All conditions have to hold.',
    fields: (t) => ({
      status: t.field({ type: SubmissionStatus, description: 'Those of this status.' }),
      userId: t.id({ description: 'Those of this user, by its global id.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    submissions: t.field({
      description: 'What was submitted, newest first; a student sees its own. Needs the scope read:tasks.',
      type: 'SubmissionConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const userId = given(args.filter?.userId);
        const wanted = {
          status: given(args.filter?.status),
          userId: userId === undefined ? undefined : localId('User', userId),
        };
        return toConnection(
          await listSubmissions(context, wanted, page),
          page,
          ({ id }) => id,
          () => countSubmissions(context, wanted),
        );
      },
    }),
  }));
}

function addReview(builder: Builder): void {
  const decision = builder.enumType('ReviewDecision', {
    description: 'What a review decides.',
    values: {
      APPROVED: { description: 'The work counts: the task is completed.' },
      RETURNED: { description: 'The learner may submit anew.' },
    } as const,
  });
  const input = builder.inputType('ReviewSubmissionInput', {
    description: 'The review of a submission.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the submission.' }),
      decision: t.field({ type: decision, required: true, description: 'What is decided.' }),
      feedback: t.string({ description: 'What to tell the learner: 10,000 characters at most.' }),
    }),
  });
  const payload = builder.objectRef<Reviewed>('ReviewSubmissionPayload').implement({
    description: 'The submission is reviewed, by now or before.',
    fields: (t) => ({
      submission: t.field({
        type: 'Submission',
        description: 'The submission as it is now.',
        resolve: ({ submission }) => submission,
      }),
      taskCompleted: t.boolean({
        description: 'Whether this completed the task.',
        resolve: ({ completed }) => completed?.isNew === true,
      }),
    }),
  });
  builder.mutationField('reviewSubmission', (t) =>
    t.field({
      ...access(MAY_GRADE),
      description:
        'Approves what was submitted, which completes the task and emits what completeTask emits, or returns it. To decide what was decided already changes nothing.',
      type: payload,
      errors: resultOf('ReviewSubmissionResult', [
        ValidationError,
        NotFoundError,
        ConflictError,
        ForbiddenError,
      ]),
      args: { input: t.arg({ type: input, required: true, description: 'Which one, and what.' }) },
      resolve: (_root, args, { features }) => {
        const { id, decision: decided, feedback } = args.input;
        const review = { id: localId('Submission', id), decision: decided, feedback: given(feedback) };
        return inWordsOfInput(() => reviewSubmission(features().context, review));
      },
    }),
  );
}
