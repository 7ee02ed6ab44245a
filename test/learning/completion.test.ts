import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../src/generated/prisma/client.ts';
import { createBadge } from '../../src/learning/badge.ts';
import { completeTask } from '../../src/learning/completion.ts';
import type { LearningContext } from '../../src/learning/context.ts';
import { startQuest } from '../../src/learning/enrolment.ts';
import { findLearners } from '../../src/learning/learner.ts';
import { reviewSubmission, submitTask } from '../../src/learning/submission.ts';
import { openSchool, publishQuest, type School, task } from './school.ts';

let school: School;
let studentId: string;
let student: LearningContext;
let teacher: LearningContext;

beforeAll(async () => {
  school = await openSchool();
  teacher = school.context(await school.addMember('EDUCATOR'), 'EDUCATOR');
});
afterAll(() => school.close());
beforeEach(async () => {
  studentId = await school.addMember('STUDENT');
  student = school.context(studentId, 'STUDENT');
});

/** A published quest that the student has started. */
async function start(change?: Parameters<typeof publishQuest>[1]) {
  const { quest, tasks } = await publishQuest(school, change);
  await startQuest(student, { questId: quest.id });
  const at = (index: number): Task => {
    const found = tasks[index];
    if (found === undefined) throw new Error(`There is no task ${index}.`);
    return found;
  };
  return { quest, tasks, at };
}
const typesOf = async () => (await school.events(studentId)).map(({ type }) => type);
const me = async () => {
  const [learner] = await findLearners(student, [studentId]);
  if (learner === undefined) throw new Error('The student is no learner.');
  return learner;
};

describe('Completing a task', () => {
  it('emits task.completed with what the catalogue asks for, in the same transaction, and wakes its lanes', async () => {
    await school.sql(
      `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
       VALUES ($1, gen_random_uuid(), 'https://lms.example/hooks', '{task.completed}') ON CONFLICT DO NOTHING`,
      [school.organizationId],
    );
    const { quest, at } = await start();
    school.woken.length = 0;
    const done = await completeTask(student, { taskId: at(0).id });
    expect(done).toMatchObject({
      isNew: true,
      questCompleted: false,
      enrolment: { tasksCompleted: 1, xpEarned: 50 },
    });
    const [event] = await school.events(studentId);
    expect(event).toEqual({
      type: 'task.completed',
      data: {
        user_id: studentId,
        task_id: at(0).id,
        quest_id: quest.id,
        task_title: 'Take a water sample',
        xp_awarded: 50,
        pillar: 'stem',
        completed_at: school.clock.now().toISOString(),
      },
    });
    expect(school.woken).toEqual([school.organizationId]);
  });

  it('twice is the same as once: no XP and no event anew', async () => {
    const { at } = await start();
    const first = await completeTask(student, { taskId: at(0).id });
    const again = await completeTask(student, { taskId: at(0).id });
    expect(again).toEqual({ ...first, isNew: false });
    expect(await typesOf()).toEqual(['task.completed']);
  });

  it('many times at once counts once', async () => {
    const { at } = await start();
    const all = await Promise.all(
      Array.from({ length: 8 }, () => completeTask(student, { taskId: at(0).id })),
    );
    expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(await typesOf()).toEqual(['task.completed']);
    expect(await me()).toMatchObject({ tasksCompleted: 1, stemXp: 50 });
  });

  it('the last ones at once complete the quest once, with the XP of all', async () => {
    const { quest, tasks } = await start();
    const all = await Promise.all(
      [...tasks, ...tasks].map(({ id }) => completeTask(student, { taskId: id })),
    );
    expect(all.filter(({ questCompleted }) => questCompleted)).toHaveLength(1);
    const events = await school.events(studentId);
    expect(events.filter(({ type }) => type === 'task.completed')).toHaveLength(3);
    expect(events.filter(({ type }) => type === 'quest.completed')).toEqual([
      {
        type: 'quest.completed',
        data: {
          user_id: studentId,
          quest_id: quest.id,
          quest_title: quest.title,
          tasks_completed: 3,
          total_xp_earned: 250,
          completed_at: school.clock.now().toISOString(),
        },
      },
    ]);
    expect(events.at(-1)?.type).toBe('quest.completed');
    expect(await me()).toMatchObject({
      questsCompleted: 1,
      tasksCompleted: 3,
      stemXp: 200,
      communicationXp: 50,
    });
  });

  it('asks for the quest to be started', async () => {
    const { tasks } = await publishQuest(school);
    await expect(completeTask(student, { taskId: tasks[0]?.id ?? '' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('was not started'),
    });
    expect(await typesOf()).toEqual([]);
  });

  it.each(['', 'x', '019a0000-0000-7000-8000-00000000dead'])('does not find %j', async (taskId) => {
    await expect(completeTask(student, { taskId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('does not find a task of another organization', async () => {
    const { at } = await start();
    const organizationId = await school.addOrganization();
    const stranger = school.context(await school.addMember('ADMIN', organizationId), 'ADMIN', {
      organizationId,
    });
    await expect(completeTask(stranger, { taskId: at(0).id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('for somebody else is for who teaches', async () => {
    const { at } = await start();
    const other = school.context(await school.addMember('STUDENT'), 'STUDENT');
    const request = { taskId: at(0).id, userId: studentId };
    await expect(completeTask(other, request)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await completeTask(teacher, request)).toMatchObject({
      isNew: true,
      completion: { approvedById: null },
    });
  });

  it('by a client that acts for its organization names whom', async () => {
    const { at } = await start();
    const lms = school.context(null, 'CLIENT');
    await expect(completeTask(lms, { taskId: at(0).id })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['user_id'] }],
    });
    expect(await completeTask(lms, { taskId: at(0).id, userId: studentId })).toMatchObject({ isNew: true });
  });
});

describe('A task that has to be approved', () => {
  const approved = { tasks: [task('Interview the mayor', { requiresApproval: true })] };

  it('is completed by no student, neither by the operation nor by SQL', async () => {
    const { at, quest } = await start(approved);
    await expect(completeTask(student, { taskId: at(0).id })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { organizationId } = school;
    const row = { organizationId, userId: studentId, taskId: at(0).id, questId: quest.id };
    const insert = student.write(({ tx }) =>
      tx.taskCompletion.create({ data: { ...row, pillar: 'STEM', xp: 1, completedAt: new Date() } }),
    );
    await expect(insert).rejects.toThrow(/row-level security/);
    expect(await typesOf()).toEqual([]);
  });

  it('is completed by the approval of what was submitted, once, however many approve it at once', async () => {
    const { at } = await start(approved);
    const { id } = await submitTask(student, { taskId: at(0).id, text: 'I met her.' });
    const review = { id, decision: 'APPROVED', feedback: 'Well asked.' } as const;
    const all = await Promise.all([1, 2, 3, 4].map(() => reviewSubmission(teacher, review)));
    expect(all.filter(({ completed }) => completed !== null)).toHaveLength(1);
    for (const { submission } of all)
      expect(submission).toMatchObject({
        status: 'APPROVED',
        feedback: 'Well asked.',
        reviewedById: teacher.viewer.userId,
      });
    expect(await typesOf()).toEqual(['task.submitted', 'task.completed', 'quest.completed']);
    // Now the student may ask as often as it likes.
    expect(await completeTask(student, { taskId: at(0).id })).toMatchObject({ isNew: false });
  });

  it('is completed by who teaches, if a token has the scope write:grades', async () => {
    const { at } = await start(approved);
    const request = { taskId: at(0).id, userId: studentId };
    const token = (scopes: readonly string[]) =>
      school.context(teacher.viewer.userId, 'EDUCATOR', { scopes });
    await expect(completeTask(token(['write:tasks']), request)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      requiredScope: 'write:grades',
    });
    expect(await completeTask(token(['write:tasks', 'write:grades']), request)).toMatchObject({
      completion: { approvedById: teacher.viewer.userId },
    });
  });
});

describe('What is rolled back', () => {
  it('emits nothing, counts nothing and wakes nobody', async () => {
    const { at } = await start();
    school.woken.length = 0;
    const failing: LearningContext = {
      ...student,
      write: (work) =>
        student.write(async (unit) => {
          await work(unit);
          throw new Error('The power went out.');
        }),
    };
    await expect(completeTask(failing, { taskId: at(0).id })).rejects.toThrow('The power went out.');
    expect(await typesOf()).toEqual([]);
    expect(await me()).toMatchObject({ tasksCompleted: 0, stemXp: 0 });
    expect(school.woken).toEqual([]);
    expect(await completeTask(student, { taskId: at(0).id })).toMatchObject({ isNew: true });
  });

  it('does not complete the task when the event cannot be emitted', async () => {
    const { at } = await start();
    await school.sql(
      `ALTER TABLE events ADD CONSTRAINT no_events CHECK (organization_id <> '${school.organizationId}') NOT VALID`,
    );
    try {
      await expect(completeTask(student, { taskId: at(0).id })).rejects.toThrow(/no_events/);
    } finally {
      await school.sql('ALTER TABLE events DROP CONSTRAINT no_events');
    }
    expect(await me()).toMatchObject({ tasksCompleted: 0 });
    expect(await typesOf()).toEqual([]);
  });
});

describe('Badges by their rule', () => {
  it('are earned once, with the completion that meets it, though several meet it at once', async () => {
    const badge = await createBadge(teacher, {
      name: 'Hundred in civics',
      description: '',
      pillarXp: { pillar: 'CIVICS', xp: 100 },
    });
    const civics = (title: string) => task(title, { pillar: 'CIVICS', xp: 40 });
    const { tasks } = await start({ pillar: 'ARTS', tasks: ['a', 'b', 'c', 'd'].map(civics) });
    const all = await Promise.all(tasks.map(({ id }) => completeTask(student, { taskId: id })));
    expect(all.flatMap(({ badgesEarned }) => badgesEarned)).toEqual([{ id: badge.id, name: badge.name }]);
    const events = await school.events(studentId);
    expect(events.filter(({ type }) => type === 'badge.earned').map(({ data }) => data)).toEqual([
      {
        user_id: studentId,
        badge_id: badge.id,
        badge_name: 'Hundred in civics',
        earned_at: school.clock.now().toISOString(),
      },
    ]);
  });

  it('count quests', async () => {
    await createBadge(teacher, { name: 'Two quests', description: '', questsCompleted: 2 });
    const one = { tasks: [task('Only this')] };
    const [first, second] = [await start(one), await start(one)];
    expect((await completeTask(student, { taskId: first.at(0).id })).badgesEarned).toEqual([]);
    expect((await completeTask(student, { taskId: second.at(0).id })).badgesEarned).toMatchObject([
      { name: 'Two quests' },
    ]);
  });
});
