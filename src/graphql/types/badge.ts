/** Badges and grades: what is awarded. */
import { type Badge, type BadgeAward, BadgeRule, type Grade, Pillar } from '../../generated/prisma/client.ts';
import { awardBadge, countBadges, createBadge, listBadges } from '../../learning/badge.ts';
import { MAY_GRADE, MAY_READ_BADGES, MAY_WRITE_BADGES } from '../../learning/context.ts';
import { recordGrade } from '../../learning/grade.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId, localId } from '../global-id.ts';
import { expectedVersion, given, idempotencyKey, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

/** Registers Badge, BadgeAward, Organization.badges, createBadge, awardBadge and recordGrade. */
export function addBadge(builder: Builder): void {
  addBadgeTypes(builder);
  addBadges(builder);
  addCreate(builder);
  addAward(builder);
  addRecordGrade(builder);
}

function addBadgeTypes(builder: Builder): void {
  builder.enumType(BadgeRule, {
    name: 'BadgeRule',
    description: 'How a badge is earned.',
    values: {
      MANUAL: { description: 'People award it.' },
      QUESTS_COMPLETED: { description: 'By completing so many quests as its threshold says.' },
      PILLAR_XP: { description: 'By so much XP in its pillar as its threshold says.' },
    },
  });
  builder.objectType('Badge', {
    description: 'Something that learners earn.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Badge', id) }),
      uuid: t.exposeString('id', { description: 'What events call it: badge_id.' }),
      name: t.exposeString('name', { description: 'What it is called.' }),
      description: t.exposeString('description', { description: 'What it is for.' }),
      rule: t.expose('rule', { type: BadgeRule, description: 'How it is earned.' }),
      threshold: t.exposeInt('threshold', {
        nullable: true,
        description: 'So many quests, or so much XP; null when people award it.',
      }),
      pillar: t.expose('pillar', {
        type: Pillar,
        nullable: true,
        description: 'Of which pillar the XP is; null for the other rules.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    }),
  });
  builder.connectionObject(
    { type: 'Badge', name: 'BadgeConnection', description: 'A page of badges.' },
    { name: 'BadgeEdge', description: 'A badge in a list.' },
  );
  builder.objectType('BadgeAward', {
    description: 'That a learner earned a badge.',
    fields: (t) => ({
      badgeId: t.id({
        description: 'The global id of the badge.',
        resolve: ({ badgeId }) => globalId('Badge', badgeId),
      }),
      earnedAt: t.expose('earnedAt', { type: 'DateTime', description: 'When.' }),
      badge: t.field({
        ...access(MAY_READ_BADGES),
        type: 'Badge',
        nullable: true,
        description: 'The badge. Needs the scope read:badges.',
        resolve: async ({ badgeId }, _args, { features }) =>
          (await features().loaders.badge(badgeId)) ?? null,
      }),
    }),
  });
}

function addBadges(builder: Builder): void {
  builder.objectFields('Organization', (t) => ({
    badges: t.field({
      description: 'Its badges, newest first. Needs the scope read:badges.',
      type: 'BadgeConnection',
      args: pageArguments(t.arg),
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        return toConnection(
          await listBadges(context, page),
          page,
          ({ id }) => id,
          () => countBadges(context),
        );
      },
    }),
  }));
}

function addCreate(builder: Builder): void {
  const pillarXp = builder.inputType('PillarXpInput', {
    description: 'XP in a pillar.',
    fields: (t) => ({
      pillar: t.field({ type: Pillar, required: true, description: 'The pillar.' }),
      xp: t.int({ required: true, description: 'How much: 1 to 1,000,000.' }),
    }),
  });
  const input = builder.inputType('CreateBadgeInput', {
    description: 'A badge to create. Without a rule people award it.',
    fields: (t) => ({
      name: t.string({ required: true, description: 'What it is called: 1 to 200 characters.' }),
      description: t.string({
        required: true,
        defaultValue: '',
        description: 'What it is for: 10,000 characters at most.',
      }),
      questsCompleted: t.int({ description: 'Its rule: so many quests completed.' }),
      pillarXp: t.field({ type: pillarXp, description: 'Its rule: so much XP in a pillar.' }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<Badge>('CreateBadgePayload').implement({
    description: 'The badge that was created.',
    fields: (t) => ({
      badge: t.field({ type: 'Badge', description: 'The badge.', resolve: (badge) => badge }),
    }),
  });
  builder.mutationField('createBadge', (t) =>
    t.field({
      ...access(MAY_WRITE_BADGES),
      description: 'Creates a badge. Its rule is looked at with every completion from now on.',
      type: payload,
      errors: resultOf('CreateBadgeResult', [ValidationError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What it is to be.' }) },
      resolve: (_root, args, { features }) => {
        const { idempotencyKey: key, questsCompleted, pillarXp: xp, ...texts } = args.input;
        const badge = { ...texts, questsCompleted: given(questsCompleted), pillarXp: given(xp) };
        return inWordsOfInput(() => createBadge(features().context, badge, given(key)));
      },
    }),
  );
}

function addAward(builder: Builder): void {
  const input = builder.inputType('AwardBadgeInput', {
    description: 'A badge to award.',
    fields: (t) => ({
      badgeId: t.id({ required: true, description: 'The global id of the badge.' }),
      userId: t.id({ required: true, description: 'To whom, by the global id of the user.' }),
    }),
  });
  const payload = builder.objectRef<BadgeAward>('AwardBadgePayload').implement({
    description: 'The badge is earned, by now or before.',
    fields: (t) => ({
      award: t.field({ type: 'BadgeAward', description: 'The award.', resolve: (award) => award }),
    }),
  });
  builder.mutationField('awardBadge', (t) =>
    t.field({
      ...access(MAY_WRITE_BADGES),
      description: 'Awards a badge to a member; who has it keeps it. Emits badge.earned.',
      type: payload,
      errors: resultOf('AwardBadgeResult', [NotFoundError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'Which badge, and to whom.' }) },
      resolve: (_root, args, { features }) => {
        const award = {
          badgeId: localId('Badge', args.input.badgeId),
          userId: localId('User', args.input.userId),
        };
        return awardBadge(features().context, award);
      },
    }),
  );
}

function addRecordGrade(builder: Builder): void {
  const input = builder.inputType('RecordGradeInput', {
    description: 'A grade to record.',
    fields: (t) => ({
      userId: t.id({ required: true, description: 'Of whom, by the global id of the user.' }),
      questId: t.id({ required: true, description: 'For which quest, by its global id.' }),
      grade: t.float({ required: true, description: '0 to 100.' }),
      expectedVersion: expectedVersion(t),
    }),
  });
  const payload = builder.objectRef<Grade>('RecordGradePayload').implement({
    description: 'The grade is recorded.',
    fields: (t) => ({
      grade: t.field({ type: 'Grade', description: 'The grade.', resolve: (grade) => grade }),
    }),
  });
  builder.mutationField('recordGrade', (t) =>
    t.field({
      ...access(MAY_GRADE),
      description:
        'Records the grade of a learner for a quest it has started. Emits grade.updated, unless it is the same as before. The version 0 stands for none yet.',
      type: payload,
      errors: resultOf('RecordGradeResult', [ValidationError, NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'Whose grade, and which.' }) },
      resolve: (_root, args, { features }) => {
        const { userId, questId, grade, expectedVersion: version } = args.input;
        const ids = { userId: localId('User', userId), questId: localId('Quest', questId) };
        return inWordsOfInput(() =>
          recordGrade(features().context, { ...ids, grade, expectedVersion: given(version) }),
        );
      },
    }),
  );
}
