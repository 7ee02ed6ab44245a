/** The learning core through GraphQL: a class from the draft of a quest to its grade, and lists in few statements. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { newId } from '../../src/lib/ids.ts';
import {
  AWARD,
  CATALOGUE,
  CHANGE_STATUS,
  CLASS,
  COMPLETE,
  CREATE_BADGE,
  CREATE_QUEST,
  GRADE,
  ME,
  REVIEW,
  START,
  SUBMIT,
  UPDATE_QUEST,
} from './learning-operations.ts';
import { seedLearning } from './seed-learning.ts';
import { countStatements, execute, kindOf, read, startServer, type TestServer } from './support.ts';
import { ADMIN_ID, NORTH, NOW, SOUTH } from './viewers.ts';

let server: TestServer;
const EXPIRES_AT = new Date(NOW.getTime() + 3_600_000);
const [STUDENT_ID, EDUCATOR_ID] = [newId(), newId()];

beforeAll(async () => {
  server = await startServer(() => ({
    // `STUDENT`, or `STUDENT write:tasks` for a token.
    authenticate: async (headers) => {
      const [role, ...scopes] = (headers.get('authorization') ?? '').replace('Bearer ', '').split(' ');
      const userId = { STUDENT: STUDENT_ID, EDUCATOR: EDUCATOR_ID, ADMIN: ADMIN_ID }[role ?? ''];
      if (userId === undefined) return null;
      const token = scopes.length === 0 ? { clientId: null, scopes: null } : { clientId: 'lms', scopes };
      const identity = { organizationId: NORTH, role: role as 'STUDENT', userId }; // One of the three.
      return { ...identity, ...token, expiresAt: EXPIRES_AT, tokenId: null };
    },
  }));
  for (const [id, role] of [
    [STUDENT_ID, 'STUDENT'],
    [EDUCATOR_ID, 'EDUCATOR'],
  ]) {
    await server.sql('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [
      id,
      `${id}@north.example`,
      role,
    ]);
    await server.sql('INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")', [
      NORTH,
      id,
      role,
    ]);
  }
});
afterAll(() => server.close());

const COUNCIL = {
  title: 'Your town council',
  description: 'Who decides what?',
  pillar: 'CIVICS' as const,
  xp: 30,
  tasks: [
    { title: 'Attend a meeting', pillar: 'CIVICS' as const, xp: 20 },
    { title: 'Interview a member', pillar: 'COMMUNICATION' as const, xp: 25, requiresApproval: true },
  ],
};

describe('A class', () => {
  test('goes from the draft of a quest to its grade, and each event is emitted once', async () => {
    const { createQuest } = await read(server, 'EDUCATOR', CREATE_QUEST, { input: COUNCIL });
    const quest = 'quest' in createQuest ? createQuest.quest : undefined;
    expect(quest).toMatchObject({
      status: 'DRAFT',
      tasks: [{ position: 1 }, { position: 2, requiresApproval: true }],
    });
    const [questId, [attend, interview]] = [quest?.id ?? '', (quest?.tasks ?? []).map(({ id }) => id)];
    if (attend === undefined || interview === undefined) throw new Error('The quest has no tasks.');
    expect((await read(server, 'STUDENT', CATALOGUE)).organization?.quests.nodes).toEqual([]);
    await read(server, 'EDUCATOR', CHANGE_STATUS, {
      input: { id: questId, status: 'PUBLISHED', expectedVersion: 1 },
    });
    expect(
      (await read(server, 'STUDENT', CATALOGUE, { filter: { search: 'COUNCIL' } })).organization?.quests,
    ).toEqual({
      nodes: [{ title: COUNCIL.title }],
      totalCount: { value: 1 },
    });

    const rule = { name: 'Active citizen', pillarXp: { pillar: 'CIVICS' as const, xp: 50 } };
    const { createBadge } = await read(server, 'EDUCATOR', CREATE_BADGE, { input: rule });
    expect(createBadge).toMatchObject({ badge: { rule: 'PILLAR_XP', threshold: 50, pillar: 'CIVICS' } });
    await read(server, 'STUDENT', START, { input: { questId } });
    const { completeTask } = await read(server, 'STUDENT', COMPLETE, { input: { taskId: attend } });
    expect(completeTask).toEqual({
      __typename: 'CompleteTaskPayload',
      isNew: true,
      questCompleted: false,
      completion: { taskId: attend, pillar: 'CIVICS', xp: 20, completedAt: NOW.toISOString() },
      enrolment: { tasksCompleted: 1, xpEarned: 20, completedAt: null },
      badgesEarned: [],
    });
    const { submitTask } = await read(server, 'STUDENT', SUBMIT, {
      input: { taskId: interview, text: 'She said yes.' },
    });
    const id = 'submission' in submitTask ? submitTask.submission.id : '';
    const review = { id, decision: 'APPROVED' as const, feedback: 'Good.' };
    expect((await read(server, 'EDUCATOR', REVIEW, { input: review })).reviewSubmission).toMatchObject({
      taskCompleted: true,
      submission: { status: 'APPROVED', feedback: 'Good.' },
    });
    const grade = { userId: globalId('User', STUDENT_ID), questId, grade: 87.5 };
    expect((await read(server, 'EDUCATOR', GRADE, { input: grade })).recordGrade).toMatchObject({
      grade: { grade: 87.5, version: 1 },
    });

    const { viewer, organization } = await read(server, 'STUDENT', ME);
    expect(viewer?.learner).toEqual({
      userUuid: STUDENT_ID,
      questsCompleted: 1,
      tasksCompleted: 2,
      totalXp: 75,
      xp: [
        { pillar: 'STEM', xp: 0 },
        { pillar: 'ARTS', xp: 0 },
        { pillar: 'CIVICS', xp: 50 },
        { pillar: 'COMMUNICATION', xp: 25 },
        { pillar: 'WELLNESS', xp: 0 },
      ],
      user: { name: 'STUDENT' },
      badges: [{ badge: { name: 'Active citizen' } }],
    });
    expect(organization?.enrolments).toEqual({
      nodes: [
        {
          completedAt: NOW.toISOString(),
          quest: { title: COUNCIL.title },
          completions: [
            { xp: 20, task: { title: 'Attend a meeting' } },
            { xp: 25, task: { title: 'Interview a member' } },
          ],
          grade: { grade: 87.5 },
        },
      ],
      totalCount: { value: 1 },
    });
    expect(organization?.submissions.nodes).toEqual([
      { text: 'She said yes.', task: { title: 'Interview a member' }, learner: { userUuid: STUDENT_ID } },
    ]);
    const events = await server.sql('SELECT type FROM events WHERE organization_id = $1 ORDER BY id', [
      NORTH,
    ]);
    expect(events.map(({ type }) => type)).toEqual([
      'task.completed',
      'task.submitted',
      'task.completed',
      'quest.completed',
      'badge.earned',
      'grade.updated',
    ]);
    expect(server.logged).toEqual([]);
  });

  test('is told what does not fit in the words of its input', async () => {
    const input = { ...COUNCIL, title: '', tasks: [{ title: 'ok', pillar: 'STEM' as const, xp: -1 }] };
    expect((await read(server, 'EDUCATOR', CREATE_QUEST, { input })).createQuest).toMatchObject({
      faults: [{ path: ['input', 'title'] }, { path: ['input', 'tasks', '0', 'xp'] }],
    });
    const badge = { name: 'x', pillarXp: { pillar: 'STEM' as const, xp: 0 } };
    expect((await read(server, 'EDUCATOR', CREATE_BADGE, { input: badge })).createBadge).toMatchObject({
      faults: [{ path: ['input', 'pillarXp', 'xp'] }],
    });
    const seeded = await seedLearning(server, NORTH);
    const status = { id: globalId('Quest', seeded.questId), status: 'DRAFT' as const };
    expect(
      (await read(server, 'EDUCATOR', CHANGE_STATUS, { input: status })).changeQuestStatus,
    ).toMatchObject({
      faults: [{ path: ['input', 'status'] }],
    });
    const submission = {
      taskId: globalId('Task', seeded.taskId),
      link: 'ftp://x',
      userId: globalId('User', seeded.userId),
    };
    expect((await read(server, 'EDUCATOR', SUBMIT, { input: submission })).submitTask).toMatchObject({
      faults: [{ path: ['input', 'link'] }],
    });
  });

  test('hears of another version what is there now', async () => {
    const { questId, userId } = await seedLearning(server, NORTH);
    const id = globalId('Quest', questId);
    const update = { id, title: 'The stream', xp: null, expectedVersion: 1 };
    expect((await read(server, 'ADMIN', UPDATE_QUEST, { input: update })).updateQuest).toMatchObject({
      quest: { title: 'The stream', xp: 100, version: 2 },
    });
    const late = { id, status: 'ARCHIVED' as const, expectedVersion: 1 };
    expect((await read(server, 'ADMIN', CHANGE_STATUS, { input: late })).changeQuestStatus).toMatchObject({
      currentVersion: 2,
      current: { title: 'The stream', version: 2 },
    });
    const grade = { userId: globalId('User', userId), questId: id, grade: 1, expectedVersion: 0 };
    expect((await read(server, 'ADMIN', GRADE, { input: grade })).recordGrade).toMatchObject({
      currentVersion: 1,
    });
  });

  test('awards by hand', async () => {
    const { badgeId } = await seedLearning(server, NORTH);
    const input = { badgeId: globalId('Badge', badgeId), userId: globalId('User', STUDENT_ID) };
    expect((await read(server, 'EDUCATOR', AWARD, { input })).awardBadge).toMatchObject({
      award: { badge: { name: 'Naturalist' } },
    });
  });
});

describe('A token', () => {
  test('read:quests lists quests, and no tasks; write:tasks completes a task, and no more', async () => {
    const { questId, taskId } = await seedLearning(server, NORTH);
    const listed = await execute(server, 'STUDENT read:quests', CLASS, { first: 1 });
    expect(listed.errors?.map(({ extensions }) => extensions?.['requiredScope'])).toContain('read:tasks');
    const { organization } = await read(server, 'STUDENT read:quests', CATALOGUE);
    expect(organization?.quests.totalCount.value).toBeGreaterThan(0);
    const complete = { input: { taskId: globalId('Task', taskId) } };
    expect((await read(server, 'STUDENT read:quests', COMPLETE, complete)).completeTask).toMatchObject({
      __typename: 'ForbiddenError',
      requiredScope: 'write:tasks',
    });

    await read(server, 'STUDENT write:tasks', START, { input: { questId: globalId('Quest', questId) } });
    expect((await read(server, 'STUDENT write:tasks', COMPLETE, complete)).completeTask).toMatchObject({
      isNew: true,
      completion: { xp: 50 },
    });
    const grade = { userId: globalId('User', STUDENT_ID), questId: globalId('Quest', questId), grade: 100 };
    expect(kindOf((await read(server, 'STUDENT write:tasks', GRADE, { input: grade })).recordGrade)).toBe(
      'ForbiddenError',
    );
    expect((await execute(server, 'STUDENT write:tasks', CATALOGUE)).errors?.[0]?.extensions).toMatchObject({
      requiredScope: 'read:quests',
    });
  });

  test('of a student completes nothing for a classmate', async () => {
    const { taskId, userId } = await seedLearning(server, NORTH);
    const input = { taskId: globalId('Task', taskId), userId: globalId('User', userId) };
    expect(kindOf((await read(server, 'STUDENT write:tasks', COMPLETE, { input })).completeTask)).toBe(
      'ForbiddenError',
    );
  });
});

describe('Lists', () => {
  test('take as many statements for many as for one, and read what they show', async () => {
    for (let count = 0; count < 12; count += 1) await seedLearning(server, NORTH);
    const of = (first: number) => countStatements(() => read(server, 'EDUCATOR', CLASS, { first }));
    const [one, ten] = [await of(1), await of(10)];
    expect(ten.count).toBe(one.count);
    // Ten times as many, but for the counts.
    expect(ten.rows).toBeLessThanOrEqual(one.rows * 10);
  });

  test('of a student hold its own alone, and none of another organization', async () => {
    const foreign = await seedLearning(server, SOUTH);
    const { organization } = await read(server, 'STUDENT', CLASS, { first: 100 });
    const names = organization?.learners.nodes.map(({ user }) => user?.name);
    expect(names).toEqual(['STUDENT']);
    const titles = new Set(organization?.enrolments.nodes.map(({ learner }) => learner?.user?.name));
    expect([...titles]).toEqual(['STUDENT']);
    const start = { questId: globalId('Quest', foreign.questId) };
    expect((await read(server, 'STUDENT', START, { input: start })).startQuest).toMatchObject({
      __typename: 'NotFoundError',
    });
  });
});
