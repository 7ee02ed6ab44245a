/** Learners: what completions add up to, enrolments, badges. */
import { MAY_SEE_ONESELF } from '../../accounts/directory.ts';
import { Pillar } from '../../generated/prisma/client.ts';
import { MAY_READ_BADGES, MAY_READ_GRADES, MAY_READ_QUESTS, MAY_READ_TASKS } from '../../learning/context.ts';
import { countEnrolments, listEnrolments } from '../../learning/enrolment.ts';
import { countLearners, listLearners } from '../../learning/learner.ts';
import { totalXp, xpByPillar } from '../../learning/pillar.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId, localId } from '../global-id.ts';
import { given } from '../mutation.ts';

/** Registers Learner, Enrolment, what is in them, and how they are reached. */
export function addLearner(builder: Builder): void {
  addPillar(builder);
  addLearnerType(builder);
  addEnrolment(builder);
  addLists(builder);
  builder.objectField('Viewer', 'learner', (t) =>
    t.field({
      ...access(MAY_READ_TASKS),
      type: 'Learner',
      nullable: true,
      description: 'The person as a learner; null before anything was started. Needs the scope read:tasks.',
      resolve: async ({ userId }, _args, { features }) =>
        userId === null ? null : ((await features().loaders.learner(userId)) ?? null),
    }),
  );
}

function addPillar(builder: Builder): void {
  builder.enumType(Pillar, {
    name: 'Pillar',
    description: 'What XP counts for.',
    values: {
      STEM: { description: 'Science, technology, engineering, mathematics.' },
      ARTS: { description: 'Arts.' },
      CIVICS: { description: 'Civics.' },
      COMMUNICATION: { description: 'Communication.' },
      WELLNESS: { description: 'Wellness.' },
    },
  });
  builder.objectType('PillarXp', {
    description: 'XP in a pillar.',
    fields: (t) => ({
      pillar: t.expose('pillar', { type: Pillar, description: 'The pillar.' }),
      xp: t.exposeInt('xp', { description: 'How much.' }),
    }),
  });
}

function addLearnerType(builder: Builder): void {
  builder.objectType('Learner', {
    description: 'A member who has started to learn, with what the completions add up to.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ userId }) => globalId('Learner', userId) }),
      userUuid: t.exposeString('userId', { description: 'What events call the person: user_id.' }),
      questsCompleted: t.exposeInt('questsCompleted', { description: 'How many quests were completed.' }),
      tasksCompleted: t.exposeInt('tasksCompleted', { description: 'How many tasks were completed.' }),
      totalXp: t.int({ description: 'XP in all pillars together.', resolve: totalXp }),
      xp: t.field({
        type: ['PillarXp'],
        description: 'XP pillar by pillar.',
        resolve: (learner) => [...xpByPillar(learner)],
      }),
      user: t.field({
        ...access(MAY_SEE_ONESELF),
        type: 'User',
        nullable: true,
        description: 'The person; null for who is no member any more. Needs the scope read:users.',
        resolve: async ({ userId }, _args, { features }) => (await features().loaders.user(userId)) ?? null,
      }),
      badges: t.field({
        ...access(MAY_READ_BADGES),
        type: ['BadgeAward'],
        nullable: true,
        description: 'The badges that were earned, latest first. Needs the scope read:badges.',
        resolve: async ({ userId }, _args, { features }) => [
          ...((await features().loaders.awardsOf(userId)) ?? []),
        ],
      }),
    }),
  });
  builder.connectionObject(
    { type: 'Learner', name: 'LearnerConnection', description: 'A page of learners.' },
    { name: 'LearnerEdge', description: 'A learner in a list.' },
  );
}

function addEnrolment(builder: Builder): void {
  builder.objectType('TaskCompletion', {
    description: 'That a learner completed a task, with the XP it gave.',
    fields: (t) => ({
      taskId: t.id({
        description: 'The global id of the task.',
        resolve: ({ taskId }) => globalId('Task', taskId),
      }),
      pillar: t.expose('pillar', { type: Pillar, description: 'What the XP counts for.' }),
      xp: t.exposeInt('xp', { description: 'The XP it gave.' }),
      completedAt: t.expose('completedAt', { type: 'DateTime', description: 'When.' }),
      task: t.field({
        ...access(MAY_READ_TASKS),
        type: 'Task',
        nullable: true,
        description: 'The task. Needs the scope read:tasks.',
        resolve: async ({ taskId }, _args, { features }) => (await features().loaders.task(taskId)) ?? null,
      }),
    }),
  });
  builder.objectType('Grade', {
    description: 'The grade of a learner for a quest.',
    fields: (t) => ({
      grade: t.exposeFloat('grade', { description: '0 to 100.' }),
      version: t.exposeInt('version', {
        description: 'Counts its changes, from 1; give it as `expectedVersion`.',
      }),
      updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was recorded.' }),
    }),
  });
  builder.objectType('Enrolment', {
    description: 'A learner in a quest, from the start to the completion.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Enrolment', id) }),
      startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When the quest was started.' }),
      completedAt: t.expose('completedAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When its last task was completed; null until then.',
      }),
      tasksCompleted: t.exposeInt('tasksCompleted', { description: 'How many of its tasks are completed.' }),
      xpEarned: t.exposeInt('xpEarned', {
        description: 'The XP of the tasks, and of the quest once it is completed.',
      }),
    }),
  });
  addEnrolmentRelations(builder);
  builder.connectionObject(
    { type: 'Enrolment', name: 'EnrolmentConnection', description: 'A page of enrolments.' },
    { name: 'EnrolmentEdge', description: 'An enrolment in a list.' },
  );
}

function addEnrolmentRelations(builder: Builder): void {
  builder.objectFields('Enrolment', (t) => ({
    quest: t.field({
      ...access(MAY_READ_QUESTS),
      type: 'Quest',
      nullable: true,
      description: 'The quest. Needs the scope read:quests.',
      resolve: async ({ questId }, _args, { features }) => (await features().loaders.quest(questId)) ?? null,
    }),
    learner: t.field({
      ...access(MAY_READ_TASKS),
      type: 'Learner',
      nullable: true,
      description: 'The learner. Needs the scope read:tasks.',
      resolve: async ({ userId }, _args, { features }) => (await features().loaders.learner(userId)) ?? null,
    }),
    completions: t.field({
      ...access(MAY_READ_TASKS),
      type: ['TaskCompletion'],
      nullable: true,
      description:
        'The tasks that are completed, in the order of the quest, 50 at most. Needs the scope read:tasks.',
      resolve: async ({ id }, _args, { features }) => [
        ...((await features().loaders.completionsOf(id)) ?? []),
      ],
    }),
    grade: t.field({
      ...access(MAY_READ_GRADES),
      type: 'Grade',
      nullable: true,
      description: 'The grade; null when there is none. Needs the scope read:grades.',
      resolve: async ({ id }, _args, { features }) => (await features().loaders.gradeOf(id)) ?? null,
    }),
  }));
}

function addLists(builder: Builder): void {
  const filter = builder.inputType('EnrolmentFilter', {
    description: 'Which enrolments. All conditions have to hold.',
    fields: (t) => ({
      userId: t.id({ description: 'Those of this user, by its global id.' }),
      questId: t.id({ description: 'Those in this quest, by its global id.' }),
      completed: t.boolean({ description: 'true: those that are completed; false: the others.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    learners: t.field({
      description: 'Its learners, newest user first; a student sees itself. Needs the scope read:tasks.',
      type: 'LearnerConnection',
      args: pageArguments(t.arg),
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        return toConnection(
          await listLearners(context, page),
          page,
          ({ userId }) => userId,
          () => countLearners(context),
        );
      },
    }),
    enrolments: t.field({
      description: 'Its enrolments, newest first; a student sees its own. Needs the scope read:tasks.',
      type: 'EnrolmentConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const { userId, questId, completed } = args.filter ?? {};
        const wanted = {
          userId: userId === undefined || userId === null ? undefined : localId('User', userId),
          questId: questId === undefined || questId === null ? undefined : localId('Quest', questId),
          completed: given(completed),
        };
        return toConnection(
          await listEnrolments(context, wanted, page),
          page,
          ({ id }) => id,
          () => countEnrolments(context, wanted),
        );
      },
    }),
  }));
}
