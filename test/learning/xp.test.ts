import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findEventType } from '../../src/events/event-type.ts';
import type { Pillar } from '../../src/generated/prisma/client.ts';
import { completeTask } from '../../src/learning/completion.ts';
import { startQuest } from '../../src/learning/enrolment.ts';
import { findLearners } from '../../src/learning/learner.ts';
import { totalXp, xpByPillar } from '../../src/learning/pillar.ts';
import { openSchool, publishQuest, type School, task } from './school.ts';

let school: School;
beforeAll(async () => {
  school = await openSchool();
});
afterAll(() => school.close());

describe('XP', () => {
  const PILLARS = [
    'STEM',
    'ARTS',
    'CIVICS',
    'COMMUNICATION',
    'WELLNESS',
  ] as const satisfies readonly Pillar[];
  const worth = fc.record({ pillar: fc.constantFrom(...PILLARS), xp: fc.nat(10_000) });
  const plan = fc.record({
    quest: worth,
    tasks: fc.array(worth, { minLength: 1, maxLength: 5 }),
    // Which tasks are completed, in what order, and how often.
    order: fc.array(fc.nat(4), { minLength: 1, maxLength: 10 }),
  });

  it('adds up: pillar by pillar it is what each task gave once, and the quest when all were done', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ quest, tasks, order }) => {
        const studentId = await school.addMember('STUDENT');
        const student = school.context(studentId, 'STUDENT');
        const { quest: published, tasks: made } = await publishQuest(school, {
          ...quest,
          tasks: tasks.map((one, index) => task(`Task ${index}`, one)),
        });
        await startQuest(student, { questId: published.id });
        const wanted = order.map((index) => index % made.length);
        await Promise.all(wanted.map((index) => completeTask(student, { taskId: made[index]?.id ?? '' })));
        const done = [...new Set(wanted)].flatMap((index) => tasks[index] ?? []);
        const isWhole = done.length === tasks.length;
        const given = isWhole ? [...done, quest] : done;
        const expected = PILLARS.map((pillar) => ({
          pillar,
          xp: given.filter((one) => one.pillar === pillar).reduce((sum, { xp }) => sum + xp, 0),
        }));
        const [learner] = await findLearners(student, [studentId]);
        if (learner === undefined) throw new Error('The student is no learner.');
        expect(xpByPillar(learner)).toEqual(expected);
        expect(learner).toMatchObject({ tasksCompleted: done.length, questsCompleted: isWhole ? 1 : 0 });
        const events = await school.events(studentId);
        const told = events
          .filter(({ type }) => type === 'task.completed')
          .map(({ data }) => Number(data['xp_awarded']));
        expect(told.reduce((sum, xp) => sum + xp, 0) + (isWhole ? quest.xp : 0)).toBe(totalXp(learner));
        for (const { type, data } of events) expect(findEventType(type)?.findFaults(data)).toEqual([]);
      }),
      { numRuns: 25, seed: 20_261_127 },
    );
  });
});
