import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LearningContext } from '../../src/learning/context.ts';
import { listEnrolments, startQuest } from '../../src/learning/enrolment.ts';
import { changeQuestStatus, createQuest, updateQuest } from '../../src/learning/quest.ts';
import {
  countQuests,
  findQuests,
  findTasks,
  listQuests,
  listTasksOf,
} from '../../src/learning/quest-list.ts';
import { openSchool, publishQuest, RIVER, type School, task } from './school.ts';

let school: School;
let teacher: LearningContext;
let student: LearningContext;
beforeAll(async () => {
  school = await openSchool();
  teacher = school.context(await school.addMember('EDUCATOR'), 'EDUCATOR');
  student = school.context(await school.addMember('STUDENT'), 'STUDENT');
});
afterAll(() => school.close());

const ALL = { limit: 100 };

describe('Creating a quest', () => {
  it('makes a draft with its tasks in their order', async () => {
    const quest = await createQuest(teacher, {
      ...RIVER,
      title: '  The river  ',
      description: 'Two\r\nlines ',
    });
    expect(quest).toMatchObject({
      title: 'The river',
      description: 'Two\nlines',
      status: 'DRAFT',
      version: 1,
    });
    const tasks = (await listTasksOf(teacher, [quest.id])).get(quest.id);
    expect(tasks?.map(({ position, title }) => [position, title])).toEqual(
      RIVER.tasks.map(({ title }, index) => [index + 1, title]),
    );
  });

  it('with the same key makes it once', async () => {
    const [first, again] = [await createQuest(teacher, RIVER, 'k'), await createQuest(teacher, RIVER, 'k')];
    expect(again).toEqual(first);
    await expect(createQuest(teacher, { ...RIVER, xp: 1 }, 'k')).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('names every fault', async () => {
    const tasks = [task(''), task('ok', { xp: 10_001 }), task('a\nb')];
    const input = { ...RIVER, title: 'x'.repeat(201), description: 'a\0b', xp: -1, tasks };
    const refused = await createQuest(teacher, input).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'VALIDATION' });
    const { faults } = refused as { faults: { path: unknown }[] }; // As matched.
    expect(faults.map(({ path }) => path)).toEqual([
      ['title'],
      ['description'],
      ['xp'],
      ['tasks', 0, 'title'],
      ['tasks', 1, 'xp'],
      ['tasks', 2, 'title'],
    ]);
    const many = { ...RIVER, tasks: Array.from({ length: 51 }, (_, index) => task(`${index}`)) };
    await expect(createQuest(teacher, many)).rejects.toMatchObject({ faults: [{ path: ['tasks'] }] });
  });
});

describe('Changing a quest', () => {
  it('replaces the tasks of a draft, and of nothing else', async () => {
    const { id } = await createQuest(teacher, RIVER);
    const changed = await updateQuest(teacher, { id, fields: { tasks: [task('One'), task('Two')] } });
    expect(changed).toMatchObject({ version: 2, title: RIVER.title });
    expect((await listTasksOf(teacher, [id])).get(id)).toMatchObject([{ title: 'One' }, { title: 'Two' }]);
    await changeQuestStatus(teacher, { id, status: 'PUBLISHED' });
    await expect(updateQuest(teacher, { id, fields: { tasks: [task('Three')] } })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('fixed'),
    });
    expect(await updateQuest(teacher, { id, fields: { title: 'New' } })).toMatchObject({
      title: 'New',
      version: 4,
    });
  });

  it('does not change another version than the expected one', async () => {
    const { id } = await createQuest(teacher, RIVER);
    const change = { id, expectedVersion: 1, fields: { xp: 5 } };
    // The first ones find their connections open.
    await Promise.all(Array.from({ length: 8 }, () => findQuests(teacher, [id])));
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => updateQuest(teacher, change)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(updateQuest(teacher, change)).rejects.toMatchObject({
      code: 'CONFLICT',
      currentVersion: 2,
      current: { type: 'Quest', id },
    });
  });

  it('publishes what has tasks, archives what was published, and says the rest', async () => {
    const { id } = await createQuest(teacher, { ...RIVER, tasks: [] });
    await expect(changeQuestStatus(teacher, { id, status: 'PUBLISHED' })).rejects.toThrow(/without tasks/);
    await expect(changeQuestStatus(teacher, { id, status: 'ARCHIVED' })).rejects.toThrow(/draft/);
    await updateQuest(teacher, { id, fields: { tasks: [task('One')] } });
    const published = await changeQuestStatus(teacher, { id, status: 'PUBLISHED' });
    expect(await changeQuestStatus(teacher, { id, status: 'PUBLISHED' })).toEqual(published);
    expect(await changeQuestStatus(teacher, { id, status: 'ARCHIVED' })).toMatchObject({
      status: 'ARCHIVED',
    });
    expect(await changeQuestStatus(teacher, { id, status: 'PUBLISHED' })).toMatchObject({
      status: 'PUBLISHED',
    });
  });

  it('is not for a quest of another organization', async () => {
    const { id } = await createQuest(teacher, RIVER);
    const organizationId = await school.addOrganization();
    const stranger = school.context(await school.addMember('ADMIN', organizationId), 'ADMIN', {
      organizationId,
    });
    const attempts = [
      () => updateQuest(stranger, { id, fields: { title: 'Mine' } }),
      () => changeQuestStatus(stranger, { id, status: 'PUBLISHED' }),
      () => startQuest(stranger, { questId: id }),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await findQuests(stranger, [id])).toEqual([]);
  });
});

describe('The catalogue', () => {
  it('finds a text in title and description, whatever the case, and takes it literally', async () => {
    const { quest } = await publishQuest(school, {
      title: '100% Zebra_fish',
      description: 'Under the MICROSCOPE',
    });
    const found = async (search: string) =>
      (await listQuests(student, { search }, ALL)).items.map(({ id }) => id);
    for (const search of ['zebra', '100%', 'A_F', 'microscope', ' under the ']) {
      expect(await found(search)).toEqual([quest.id]);
    }
    for (const search of ['zebraXfish', '100_', 'a\0', '\\']) expect(await found(search)).toEqual([]);
    expect(await countQuests(student, { search: 'zebra' })).toEqual({ value: 1, isExact: true });
    await expect(found('x'.repeat(101))).rejects.toMatchObject({ code: 'VALIDATION' });
  });

  it('filters by pillar and status', async () => {
    const { quest } = await publishQuest(school, { pillar: 'WELLNESS' });
    const draft = await createQuest(teacher, { ...RIVER, pillar: 'WELLNESS' });
    const ids = async (context: LearningContext, filter: Parameters<typeof listQuests>[1]) =>
      (await listQuests(context, filter, ALL)).items.map(({ id }) => id);
    expect(await ids(teacher, { pillar: 'WELLNESS' })).toEqual([draft.id, quest.id]);
    expect(await ids(teacher, { pillar: 'WELLNESS', statuses: ['DRAFT'] })).toEqual([draft.id]);
    expect(await ids(student, { pillar: 'WELLNESS' })).toEqual([quest.id]);
    expect(await ids(student, { pillar: 'WELLNESS', statuses: ['DRAFT'] })).toEqual([]);
  });

  it('pages by keyset, newest first', async () => {
    const made = [];
    for (let count = 0; count < 5; count += 1)
      made.unshift((await publishQuest(school, { pillar: 'ARTS' })).quest.id);
    const first = await listQuests(student, { pillar: 'ARTS' }, { limit: 2 });
    expect([first.items.map(({ id }) => id), first.hasMore]).toEqual([made.slice(0, 2), true]);
    const rest = await listQuests(student, { pillar: 'ARTS' }, { limit: 9, after: made[1] });
    expect([rest.items.map(({ id }) => id), rest.hasMore]).toEqual([made.slice(2), false]);
  });

  it('shows a student no draft and no task of one, by no way; who teaches sees them', async () => {
    const { id } = await createQuest(teacher, RIVER);
    const tasks = (await listTasksOf(teacher, [id])).get(id) ?? [];
    expect(tasks).toHaveLength(3);
    expect(await findQuests(student, [id])).toEqual([]);
    expect((await listTasksOf(student, [id])).size).toBe(0);
    expect(
      await findTasks(
        student,
        tasks.map((one) => one.id),
      ),
    ).toEqual([]);
    await expect(startQuest(student, { questId: id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('keeps an archived quest for who has started it, and for nobody else', async () => {
    const { quest } = await publishQuest(school);
    await startQuest(student, { questId: quest.id });
    await changeQuestStatus(teacher, { id: quest.id, status: 'ARCHIVED' });
    const other = school.context(await school.addMember('STUDENT'), 'STUDENT');
    expect(await findQuests(student, [quest.id])).toHaveLength(1);
    expect(await findQuests(other, [quest.id])).toEqual([]);
    const listed = await listQuests(student, {}, ALL);
    expect(listed.items.map(({ id }) => id)).not.toContain(quest.id);
    await expect(startQuest(other, { questId: quest.id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(startQuest(teacher, { questId: quest.id })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('Starting a quest', () => {
  it('enrols once, however often and at once it is asked for', async () => {
    const { quest } = await publishQuest(school);
    const userId = await school.addMember('STUDENT');
    const newcomer = school.context(userId, 'STUDENT');
    const all = await Promise.all([1, 2, 3, 4].map(() => startQuest(newcomer, { questId: quest.id })));
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    const listed = await listEnrolments(newcomer, { userId }, ALL);
    expect(listed.items).toEqual([all[0]]);
  });

  it('is for members: nobody of another organization is taken in', async () => {
    const { quest } = await publishQuest(school);
    const organizationId = await school.addOrganization();
    const userId = await school.addMember('STUDENT', organizationId);
    await expect(startQuest(teacher, { questId: quest.id, userId })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const bySql = teacher.write(({ tx }) =>
      tx.learner.create({ data: { organizationId: school.organizationId, userId } }),
    );
    await expect(bySql).rejects.toThrow(/row-level security/);
  });

  it('for somebody else is for who teaches', async () => {
    const { quest } = await publishQuest(school);
    const userId = await school.addMember('STUDENT');
    const request = { questId: quest.id, userId };
    await expect(startQuest(student, request)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await startQuest(teacher, request)).toMatchObject({ userId });
  });
});
