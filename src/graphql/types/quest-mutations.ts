/** Mutations of quests. */
import { Pillar, type Quest, QuestStatus } from '../../generated/prisma/client.ts';
import { MAY_WRITE_QUESTS } from '../../learning/context.ts';
import { changeQuestStatus, createQuest, updateQuest } from '../../learning/quest.ts';
import { MAX_TASKS, MAX_XP, type TaskInput } from '../../learning/quest-input.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import { expectedVersion, given, idempotencyKey, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

/** Registers createQuest, updateQuest and changeQuestStatus. */
export function addQuestMutations(builder: Builder): void {
  const task = addTaskInput(builder);
  addCreate(builder, task);
  addUpdate(builder, task);
  addChangeStatus(builder);
}

const TEXTS = {
  title: 'What it is called: 1 to 200 characters.',
  description: 'What it is about: 10,000 characters at most.',
  pillar: 'What its own XP counts for.',
  xp: `For completing it, beside the XP of its tasks: 0 to ${MAX_XP}.`,
  tasks: `Its tasks in their order, at most ${MAX_TASKS}.`,
} as const;

function addTaskInput(builder: Builder) {
  return builder.inputType('TaskInput', {
    description: 'A task of a quest.',
    fields: (t) => ({
      title: t.string({ required: true, description: 'What is to be done: 1 to 200 characters.' }),
      pillar: t.field({ type: Pillar, required: true, description: 'What its XP counts for.' }),
      xp: t.int({ required: true, description: `For completing it: 0 to ${MAX_XP}.` }),
      requiresApproval: t.boolean({
        required: true,
        defaultValue: false,
        description: 'Whether only who teaches can have it count as completed.',
      }),
    }),
  });
}

type TaskInputRef = ReturnType<typeof addTaskInput>;

function addCreate(builder: Builder, task: TaskInputRef): void {
  const input = builder.inputType('CreateQuestInput', {
    description: 'A quest to create.',
    fields: (t) => ({
      title: t.string({ required: true, description: TEXTS.title }),
      description: t.string({ required: true, description: TEXTS.description }),
      pillar: t.field({ type: Pillar, required: true, description: TEXTS.pillar }),
      xp: t.int({ required: true, defaultValue: 0, description: TEXTS.xp }),
      tasks: t.field({ type: [task], required: true, description: TEXTS.tasks }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = questPayload(builder, 'CreateQuestPayload', 'The draft that was created.');
  builder.mutationField('createQuest', (t) =>
    t.field({
      ...access(MAY_WRITE_QUESTS),
      description: 'Creates a quest as a draft, which students do not see.',
      type: payload,
      errors: resultOf('CreateQuestResult', [ValidationError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What it is to be.' }) },
      resolve: (_root, args, { features }) => {
        const { idempotencyKey: key, tasks, ...quest } = args.input;
        const wanted = { ...quest, tasks: tasks.map(toTask) };
        return inWordsOfInput(() => createQuest(features().context, wanted, given(key)));
      },
    }),
  );
}

function addUpdate(builder: Builder, task: TaskInputRef): void {
  const input = builder.inputType('UpdateQuestInput', {
    description: 'What to change of a quest; what is left out stays.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the quest.' }),
      title: t.string({ description: TEXTS.title }),
      description: t.string({ description: TEXTS.description }),
      pillar: t.field({ type: Pillar, description: TEXTS.pillar }),
      xp: t.int({ description: TEXTS.xp }),
      tasks: t.field({
        type: [task],
        description: `${TEXTS.tasks} They take the place of those there are; of a draft only.`,
      }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = questPayload(builder, 'UpdateQuestPayload', 'The quest as it is now.');
  builder.mutationField('updateQuest', (t) =>
    t.field({
      ...access(MAY_WRITE_QUESTS),
      description: 'Changes a quest. Its tasks are fixed once it was published.',
      type: payload,
      errors: resultOf('UpdateQuestResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to change.' }) },
      resolve: (_root, args, { features }) => {
        const { id, expectedVersion: version, tasks, ...rest } = args.input;
        const present = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
        const fields = {
          ...Object.fromEntries(present),
          ...(tasks === null || tasks === undefined ? {} : { tasks: tasks.map(toTask) }),
        };
        const change = { id: localId('Quest', id), expectedVersion: version ?? undefined, fields };
        return inWordsOfInput(() => updateQuest(features().context, change));
      },
    }),
  );
}

function addChangeStatus(builder: Builder): void {
  const input = builder.inputType('ChangeQuestStatusInput', {
    description: 'A quest to publish or to archive.',
    fields: (t) => ({
      id: t.id({ required: true, description: 'The global id of the quest.' }),
      status: t.field({
        type: QuestStatus,
        required: true,
        description: 'PUBLISHED or ARCHIVED; what was published does not become a DRAFT again.',
      }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = questPayload(builder, 'ChangeQuestStatusPayload', 'The quest as it is now.');
  builder.mutationField('changeQuestStatus', (t) =>
    t.field({
      ...access(MAY_WRITE_QUESTS),
      description:
        'Publishes a quest, so that it can be started, or archives it, so that it cannot any more.',
      type: payload,
      errors: resultOf('ChangeQuestStatusResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Which one, and what.' }) },
      resolve: (_root, args, { features }) => {
        const { id, status, expectedVersion: version } = args.input;
        const change = { id: localId('Quest', id), status, expectedVersion: given(version) };
        return inWordsOfInput(() => changeQuestStatus(features().context, change));
      },
    }),
  );
}

const ERRORS = [ValidationError, NotFoundError, ConflictError, ForbiddenError];

function questPayload(builder: Builder, name: string, description: string) {
  return builder.objectRef<Quest>(name).implement({
    description,
    fields: (t) => ({
      quest: t.field({ type: 'Quest', description: 'The quest.', resolve: (quest) => quest }),
    }),
  });
}

function toTask({ title, pillar, xp, requiresApproval }: TaskInput): TaskInput {
  return { title, pillar, xp, requiresApproval };
}
