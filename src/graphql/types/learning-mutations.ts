/** What learners do: start, submit, complete. */

import type { Badge, Enrolment, Submission } from '../../generated/prisma/client.ts';
import { type Completed, completeTask } from '../../learning/completion.ts';
import { MAY_LEARN } from '../../learning/context.ts';
import { startQuest } from '../../learning/enrolment.ts';
import { submitTask } from '../../learning/submission.ts';
import { access } from '../access.ts';
import type { Builder, InputFields } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import { given, idempotencyKey, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

const ERRORS = [ValidationError, NotFoundError, ConflictError, ForbiddenError];

/** Registers startQuest, submitTask and completeTask. */
export function addLearningMutations(builder: Builder): void {
  addStart(builder);
  addSubmit(builder);
  addComplete(builder);
}

function learnerField(t: InputFields) {
  return t.id({
    description:
      'For whom, by the global id of the user; the viewer if left out. For somebody else: who teaches, or a client that acts for its organization.',
  });
}

function learnerOf(userId: string | null | undefined): string | undefined {
  return userId === null || userId === undefined ? undefined : localId('User', userId);
}

function addStart(builder: Builder): void {
  const input = builder.inputType('StartQuestInput', {
    description: 'A quest to start.',
    fields: (t) => ({
      questId: t.id({ required: true, description: 'The global id of the quest.' }),
      userId: learnerField(t),
    }),
  });
  const payload = builder.objectRef<Enrolment>('StartQuestPayload').implement({
    description: 'The quest was started, now or before.',
    fields: (t) => ({
      enrolment: t.field({
        type: 'Enrolment',
        description: 'The enrolment.',
        resolve: (enrolment) => enrolment,
      }),
    }),
  });
  builder.mutationField('startQuest', (t) =>
    t.field({
      ...access(MAY_LEARN),
      description: 'Starts a quest; who has started it already stays where it is.',
      type: payload,
      errors: resultOf('StartQuestResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Which quest.' }) },
      resolve: (_root, args, { features }) => {
        const { questId, userId } = args.input;
        const start = { questId: localId('Quest', questId), userId: learnerOf(userId) };
        return inWordsOfInput(() => startQuest(features().context, start));
      },
    }),
  );
}

function addSubmit(builder: Builder): void {
  const input = builder.inputType('SubmitTaskInput', {
    description: 'Work to hand in for a task: a text, a link or a file name at least.',
    fields: (t) => ({
      taskId: t.id({ required: true, description: 'The global id of the task.' }),
      userId: learnerField(t),
      text: t.string({ description: 'What was written: 50,000 characters at most.' }),
      link: t.string({ description: 'Where the work is to be seen: an http or https URL.' }),
      fileName: t.string({ description: 'What the file is called, which lies elsewhere.' }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<Submission>('SubmitTaskPayload').implement({
    description: 'What was handed in waits for its review.',
    fields: (t) => ({
      submission: t.field({
        type: 'Submission',
        description: 'The submission.',
        resolve: (submission) => submission,
      }),
    }),
  });
  builder.mutationField('submitTask', (t) =>
    t.field({
      ...access(MAY_LEARN),
      description: 'Hands in work for a task of a quest that was started. Emits task.submitted.',
      type: payload,
      errors: resultOf('SubmitTaskResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'For which task, and what.' }) },
      resolve: (_root, args, { features }) => {
        const { taskId, userId, text, link, fileName, idempotencyKey: key } = args.input;
        const work = { text: given(text), link: given(link), fileName: given(fileName) };
        const submission = { taskId: localId('Task', taskId), userId: learnerOf(userId), ...work };
        return inWordsOfInput(() => submitTask(features().context, submission, given(key)));
      },
    }),
  );
}

function addComplete(builder: Builder): void {
  const input = builder.inputType('CompleteTaskInput', {
    description: 'A task to complete.',
    fields: (t) => ({
      taskId: t.id({ required: true, description: 'The global id of the task.' }),
      userId: learnerField(t),
    }),
  });
  const payload = addCompleted(builder);
  builder.mutationField('completeTask', (t) =>
    t.field({
      ...access(MAY_LEARN),
      description:
        'Completes a task of a quest that was started; its last one completes the quest. Emits task.completed, quest.completed and badge.earned. One that has to be approved is completed by who teaches, with the scope write:grades.',
      type: payload,
      errors: resultOf('CompleteTaskResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Which task.' }) },
      resolve: (_root, args, { features }) => {
        const { taskId, userId } = args.input;
        const completion = { taskId: localId('Task', taskId), userId: learnerOf(userId) };
        return inWordsOfInput(() => completeTask(features().context, completion));
      },
    }),
  );
}

function addCompleted(builder: Builder) {
  const earned = builder.objectRef<Pick<Badge, 'id' | 'name'>>('EarnedBadge').implement({
    description: 'A badge that was earned by a completion.',
    fields: (t) => ({
      badgeId: t.id({
        description: 'The global id of the badge.',
        resolve: ({ id }) => globalId('Badge', id),
      }),
      name: t.exposeString('name', { description: 'What the badge is called.' }),
    }),
  });
  return builder.objectRef<Completed>('CompleteTaskPayload').implement({
    description: 'The task is completed, by now or before.',
    fields: (t) => ({
      completion: t.field({
        type: 'TaskCompletion',
        description: 'The completion, with its XP.',
        resolve: ({ completion }) => completion,
      }),
      enrolment: t.field({
        type: 'Enrolment',
        description: 'How far the learner is in the quest now.',
        resolve: ({ enrolment }) => enrolment,
      }),
      isNew: t.exposeBoolean('isNew', {
        description: 'Whether it was completed by this; false: it had been before, and nothing was done.',
      }),
      questCompleted: t.exposeBoolean('questCompleted', {
        description: 'Whether this completed the quest.',
      }),
      badgesEarned: t.field({
        type: [earned],
        description: 'The badges that were earned by this.',
        resolve: ({ badgesEarned }) => [...badgesEarned],
      }),
    }),
  });
}
