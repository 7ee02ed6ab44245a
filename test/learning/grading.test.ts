import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../src/generated/prisma/client.ts';
import { awardBadge, createBadge, listAwardsOf } from '../../src/learning/badge.ts';
import { completeTask } from '../../src/learning/completion.ts';
import type { LearningContext } from '../../src/learning/context.ts';
import { listCompletionsOf, listEnrolments, startQuest } from '../../src/learning/enrolment.ts';
import { findGradesOf, recordGrade } from '../../src/learning/grade.ts';
import { findLearners, listLearners } from '../../src/learning/learner.ts';
import { reviewSubmission, submitTask } from '../../src/learning/submission.ts';
import { countSubmissions, findSubmissions, listSubmissions } from '../../src/learning/submission-list.ts';
import { openSchool, publishQuest, type School } from './school.ts';

let school: School;
let teacher: LearningContext;
let studentId: string;
let student: LearningContext;
let classmate: LearningContext;
let questId: string;
let first: Task;

beforeAll(async () => {
  school = await openSchool();
  teacher = school.context(await school.addMember('EDUCATOR'), 'EDUCATOR');
  classmate = school.context(await school.addMember('STUDENT'), 'STUDENT');
});
afterAll(() => school.close());
beforeEach(async () => {
  studentId = await school.addMember('STUDENT');
  student = school.context(studentId, 'STUDENT');
  const { quest, tasks } = await publishQuest(school);
  if (tasks[0] === undefined) throw new Error('The quest has no tasks.');
  [questId, first] = [quest.id, tasks[0]];
  await startQuest(student, { questId });
});

const ALL = { limit: 100 };
const events = () => school.events(studentId);

describe('Submitting work', () => {
  it('emits task.submitted, and puts it where who teaches finds it', async () => {
    const work = { text: 'Cold\r\nand clear. ', link: ' https://docs.example/water ', fileName: 'water.pdf' };
    const submission = await submitTask(student, { taskId: first.id, ...work });
    expect(submission).toMatchObject({
      status: 'SUBMITTED',
      text: 'Cold\nand clear.',
      link: 'https://docs.example/water',
      fileName: 'water.pdf',
    });
    expect(await events()).toEqual([
      {
        type: 'task.submitted',
        data: {
          user_id: studentId,
          task_id: first.id,
          quest_id: questId,
          task_title: first.title,
          submission_id: submission.id,
          submitted_at: school.clock.now().toISOString(),
        },
      },
    ]);
    const waiting = await listSubmissions(teacher, { status: 'SUBMITTED', userId: studentId }, ALL);
    expect(waiting.items).toEqual([submission]);
    expect(await countSubmissions(teacher, { userId: studentId })).toEqual({ value: 1, isExact: true });
  });

  it('with the same key submits once; without one, what waits is not submitted again', async () => {
    const work = { taskId: first.id, text: 'Mine' };
    const submitted = await submitTask(student, work, 'once');
    expect(await submitTask(student, work, 'once')).toEqual(submitted);
    const others = await Promise.allSettled([1, 2, 3].map(() => submitTask(student, work)));
    for (const other of others) expect(other).toMatchObject({ reason: { code: 'CONFLICT' } });
    expect(await events()).toHaveLength(1);
  });

  it('at once, several times, is one submission', async () => {
    const all = await Promise.allSettled(
      [1, 2, 3, 4].map(() => submitTask(student, { taskId: first.id, text: 'x' })),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await events()).toHaveLength(1);
  });

  it.each([
    [{}, 'text'],
    [{ text: ' ', fileName: '' }, 'text'],
    [{ text: 'a\0' }, 'text'],
    [{ text: 'x'.repeat(50_001) }, 'text'],
    [{ link: 'javascript:alert(1)' }, 'link'],
    [{ link: 'docs.example' }, 'link'],
    [{ fileName: 'a\nb' }, 'file_name'],
  ])('refuses %o by its path', async (work, path) => {
    await expect(submitTask(student, { taskId: first.id, ...work })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: [path] }],
    });
  });

  it('is for what is not completed yet', async () => {
    await completeTask(student, { taskId: first.id });
    await expect(submitTask(student, { taskId: first.id, text: 'x' })).rejects.toThrow(/completed already/);
  });
});

describe('A review', () => {
  it('that returns lets the student submit anew, and completes nothing', async () => {
    const { id } = await submitTask(student, { taskId: first.id, text: 'Draft' });
    const review = { id, decision: 'RETURNED', feedback: 'Say how cold.' } as const;
    const { submission, completed } = await reviewSubmission(teacher, review);
    expect([submission.status, submission.feedback, completed]).toEqual(['RETURNED', 'Say how cold.', null]);
    expect(await reviewSubmission(teacher, review)).toEqual({ submission, completed: null });
    await expect(reviewSubmission(teacher, { id, decision: 'APPROVED' })).rejects.toThrow(/returned already/);
    await submitTask(student, { taskId: first.id, text: 'Four degrees.' });
    expect((await events()).map(({ type }) => type)).toEqual(['task.submitted', 'task.submitted']);
  });

  it('decides once when it is decided both ways at once', async () => {
    const { id } = await submitTask(student, { taskId: first.id, text: 'Draft' });
    const both = await Promise.allSettled([
      reviewSubmission(teacher, { id, decision: 'APPROVED' }),
      reviewSubmission(teacher, { id, decision: 'RETURNED' }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const [submission] = await findSubmissions(teacher, [id]);
    const told = (await events()).filter(({ type }) => type === 'task.completed');
    expect(told).toHaveLength(submission?.status === 'APPROVED' ? 1 : 0);
  });

  it('is not for students, and finds nothing of another organization', async () => {
    const { id } = await submitTask(student, { taskId: first.id, text: 'Draft' });
    const review = { id, decision: 'APPROVED' } as const;
    await expect(reviewSubmission(student, review)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const bySql = await student.write(({ tx }) =>
      tx.submission.updateMany({ where: { id }, data: { status: 'APPROVED', reviewedAt: new Date() } }),
    );
    expect(bySql.count).toBe(0);
    const organizationId = await school.addOrganization();
    const stranger = school.context(await school.addMember('ADMIN', organizationId), 'ADMIN', {
      organizationId,
    });
    await expect(reviewSubmission(stranger, review)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('A badge that people award', () => {
  it('is earned once, however many award it at once', async () => {
    const badge = await createBadge(teacher, { name: 'Helper', description: 'Helped others.' });
    const award = { badgeId: badge.id, userId: studentId };
    const all = await Promise.all([1, 2, 3].map(() => awardBadge(teacher, award)));
    expect(new Set(all.map(({ earnedAt }) => earnedAt.getTime())).size).toBe(1);
    expect(await events()).toMatchObject([{ type: 'badge.earned', data: { badge_name: 'Helper' } }]);
    const awards = (await listAwardsOf(student, [studentId])).get(studentId);
    expect(awards).toMatchObject([{ badgeId: badge.id, awardedById: teacher.viewer.userId }]);
  });

  it('makes a learner of a member who has started nothing, and of nobody else', async () => {
    const badge = await createBadge(teacher, { name: 'Welcome', description: '' });
    const newcomer = await school.addMember('STUDENT');
    expect(await awardBadge(teacher, { badgeId: badge.id, userId: newcomer })).toMatchObject({
      userId: newcomer,
    });
    const stranger = await school.addMember('STUDENT', await school.addOrganization());
    for (const userId of [stranger, 'x']) {
      await expect(awardBadge(teacher, { badgeId: badge.id, userId })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });

  it('no student gives itself, by no way', async () => {
    const { id } = await createBadge(teacher, { name: 'Genius', description: '' });
    const award = { badgeId: id, userId: studentId };
    await expect(awardBadge(student, award)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { organizationId } = school;
    const bySql = student.write(({ tx }) =>
      tx.badgeAward.create({ data: { organizationId, ...award, earnedAt: new Date() } }),
    );
    await expect(bySql).rejects.toThrow(/row-level security/);
  });

  it('has one rule at most, and a name', async () => {
    const both = { questsCompleted: 1, pillarXp: { pillar: 'STEM', xp: 0 } } as const;
    await expect(createBadge(teacher, { name: '', description: '', ...both })).rejects.toMatchObject({
      faults: [{ path: ['name'] }, { path: ['pillar_xp', 'xp'] }, { path: ['pillar_xp'] }],
    });
  });
});

describe('A grade', () => {
  const grade = (value: number, expectedVersion?: number) =>
    recordGrade(teacher, { userId: studentId, questId, grade: value, expectedVersion });

  it('emits grade.updated with the one before; the same again tells nothing', async () => {
    await grade(88);
    await grade(88);
    await grade(92.5);
    const common = { user_id: studentId, quest_id: questId, graded_by: teacher.viewer.userId };
    const updated_at = school.clock.now().toISOString();
    expect(await events()).toEqual([
      { type: 'grade.updated', data: { ...common, grade: 88, updated_at } },
      { type: 'grade.updated', data: { ...common, grade: 92.5, previous_grade: 88, updated_at } },
    ]);
    const enrolments = await listEnrolments(student, { questId }, ALL);
    const id = enrolments.items[0]?.id ?? '';
    expect((await findGradesOf(student, [id])).get(id)).toMatchObject({ grade: 92.5, version: 2 });
  });

  it('is in the audit log, with the one before', async () => {
    await grade(50);
    await grade(60);
    const rows = await school.sql(
      `SELECT action, actor_id, changes FROM audit_entries WHERE target_id = $1 ORDER BY id`,
      [studentId],
    );
    const entry = { action: 'grade.recorded', actor_id: teacher.viewer.userId };
    const quest_id = { from: questId, to: questId };
    expect(rows).toEqual([
      { ...entry, changes: { quest_id, grade: { from: null, to: 50 } } },
      { ...entry, changes: { quest_id, grade: { from: 50, to: 60 } } },
    ]);
  });

  it('that several record at once has each one before in a row', async () => {
    await Promise.all([10, 20, 30, 40].map((value) => grade(value)));
    const told = (await events()).map(({ data }) => data);
    const previous = told.map((data) => data['previous_grade']);
    expect(previous).toEqual([undefined, ...told.slice(0, -1).map((data) => data['grade'])]);
  });

  it('is recorded over the expected version alone; 0 is none yet', async () => {
    await grade(50, 0);
    await expect(grade(60, 0)).rejects.toMatchObject({ code: 'CONFLICT', currentVersion: 1 });
    expect(await grade(60, 1)).toMatchObject({ version: 2 });
  });

  it.each([-0.1, 100.5, Number.NaN, Number.POSITIVE_INFINITY])('is not %d', async (value) => {
    await expect(grade(value)).rejects.toMatchObject({ faults: [{ path: ['grade'] }] });
  });

  it('is for a quest that the student has started, and recorded by who teaches', async () => {
    const { quest } = await publishQuest(school);
    for (const other of [quest.id, 'x']) {
      await expect(
        recordGrade(teacher, { userId: studentId, questId: other, grade: 1 }),
      ).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
    await expect(recordGrade(student, { userId: studentId, questId, grade: 100 })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});

describe('What a student sees', () => {
  it('is its own: nothing of a classmate, by no way; who teaches sees all', async () => {
    await submitTask(student, { taskId: first.id, text: 'Mine' });
    await completeTask(student, { taskId: first.id });
    await recordGrade(teacher, { userId: studentId, questId, grade: 70 });
    const badge = await createBadge(teacher, { name: 'Own', description: '' });
    await awardBadge(teacher, { badgeId: badge.id, userId: studentId });
    const seen = async (context: LearningContext) => {
      const enrolments = await listEnrolments(context, { userId: studentId }, ALL);
      const inQuest = await listEnrolments(teacher, { questId }, ALL);
      const id = inQuest.items[0]?.id ?? '';
      return {
        learners: (await findLearners(context, [studentId])).length,
        listed: (await listLearners(context, ALL)).items.some(({ userId }) => userId === studentId),
        enrolments: enrolments.items.length,
        completions: (await listCompletionsOf(context, [id])).get(id)?.length ?? 0,
        submissions: (await listSubmissions(context, { userId: studentId }, ALL)).items.length,
        awards: (await listAwardsOf(context, [studentId])).get(studentId)?.length ?? 0,
        grades: (await findGradesOf(context, [id])).size,
      };
    };
    const all = {
      learners: 1,
      listed: true,
      enrolments: 1,
      completions: 1,
      submissions: 1,
      awards: 1,
      grades: 1,
    };
    expect(await seen(student)).toEqual(all);
    expect(await seen(teacher)).toEqual(all);
    expect(await seen(school.context(null, 'CLIENT'))).toEqual(all);
    expect(await seen(classmate)).toEqual(
      Object.fromEntries(Object.keys(all).map((key) => [key, key === 'listed' ? false : 0])),
    );
    const organizationId = await school.addOrganization();
    const stranger = school.context(await school.addMember('ADMIN', organizationId), 'ADMIN', {
      organizationId,
    });
    expect(await seen(stranger)).toMatchObject({ learners: 0, enrolments: 0, grades: 0 });
  });
});
