/** Quests and their tasks. */
import { Pillar, QuestStatus } from '../../generated/prisma/client.ts';
import { MAY_READ_QUESTS, MAY_READ_TASKS } from '../../learning/context.ts';
import { countQuests, listQuests } from '../../learning/quest-list.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId } from '../global-id.ts';
import { given } from '../mutation.ts';

/** Registers Quest, Task and Organization.quests. */
export function addQuest(builder: Builder): void {
  builder.enumType(QuestStatus, {
    name: 'QuestStatus',
    description: 'How far a quest has come.',
    values: {
      DRAFT: { description: 'Students do not see it; its tasks can be changed.' },
      PUBLISHED: { description: 'It can be started.' },
      ARCHIVED: { description: 'It cannot be started any more; who has started it may go on.' },
    },
  });
  addQuestType(builder);
  addTask(builder);
  addQuests(builder);
}

function addQuestType(builder: Builder): void {
  builder.objectType('Quest', {
    description: 'What students do: an ordered set of tasks.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Quest', id) }),
      uuid: t.exposeString('id', { description: 'What events call it: quest_id.' }),
      title: t.exposeString('title', { description: 'What it is called.' }),
      description: t.exposeString('description', {
        description: 'What it is about; may have several lines.',
      }),
      pillar: t.expose('pillar', { type: Pillar, description: 'What its own XP counts for.' }),
      xp: t.exposeInt('xp', { description: 'For completing it, beside the XP of its tasks.' }),
      status: t.expose('status', { type: QuestStatus, description: 'How far it has come.' }),
      version: t.exposeInt('version', {
        description: 'Counts its changes, from 1; give it as `expectedVersion`.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
      updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
      tasks: t.field({
        ...access(MAY_READ_TASKS),
        type: ['Task'],
        nullable: true,
        description: 'Its tasks in their order, 50 at most. Needs the scope read:tasks.',
        resolve: async ({ id }, _args, { features }) => [...((await features().loaders.tasksOf(id)) ?? [])],
      }),
    }),
  });
  builder.connectionObject(
    { type: 'Quest', name: 'QuestConnection', description: 'A page of quests.' },
    { name: 'QuestEdge', description: 'A quest in a list.' },
  );
}

function addTask(builder: Builder): void {
  builder.objectType('Task', {
    description: 'A part of a quest.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Task', id) }),
      uuid: t.exposeString('id', { description: 'What events call it: task_id.' }),
      position: t.exposeInt('position', { description: 'Where in its quest it stands, from 1.' }),
      title: t.exposeString('title', { description: 'What is to be done.' }),
      pillar: t.expose('pillar', { type: Pillar, description: 'What its XP counts for.' }),
      xp: t.exposeInt('xp', { description: 'For completing it.' }),
      requiresApproval: t.exposeBoolean('requiresApproval', {
        description: 'Whether only who teaches can have it count as completed.',
      }),
      quest: t.field({
        ...access(MAY_READ_QUESTS),
        type: 'Quest',
        nullable: true,
        description: 'Its quest. Needs the scope read:quests.',
        resolve: async ({ questId }, _args, { features }) =>
          (await features().loaders.quest(questId)) ?? null,
      }),
    }),
  });
}

function addQuests(builder: Builder): void {
  const filter = builder.inputType('QuestFilter', {
    description: 'Which quests. All conditions have to hold.',
    fields: (t) => ({
      statuses: t.field({
        type: [QuestStatus],
        description: 'Those with one of these statuses. Students see those that are published.',
      }),
      pillar: t.field({ type: Pillar, description: 'Those of this pillar.' }),
      search: t.string({
        description:
          'Those with this text in their title or description, whatever the case: 100 characters at most.',
      }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    quests: t.field({
      description: 'Its catalogue of quests, newest first. Needs the scope read:quests.',
      type: 'QuestConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const wanted = {
          statuses: given(args.filter?.statuses),
          pillar: given(args.filter?.pillar),
          search: given(args.filter?.search),
        };
        const quests = await listQuests(context, wanted, page);
        return toConnection(
          quests,
          page,
          ({ id }) => id,
          () => countQuests(context, wanted),
        );
      },
    }),
  }));
}
