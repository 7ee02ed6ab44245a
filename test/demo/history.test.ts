import { describe, expect, it } from 'vitest';
import { createChance } from '../../src/demo/chance.ts';
import { createClassroom } from '../../src/demo/classroom.ts';
import { planCurriculum } from '../../src/demo/curriculum.ts';
import { type History, pastWeek } from '../../src/demo/history.ts';
import { makeSubscribers } from '../../src/demo/seed-subscriptions.ts';
import { EVENT_TYPES, findEventType } from '../../src/events/event-type.ts';
import { uuidTime } from '../../src/lib/ids.ts';
import { verifyWebhook, verifyWebhookSignature } from '../../verify/index.js';

const RETRY_SECONDS = [60, 120, 240, 480, 960];
const WEEK_MS = 7 * 86_400_000;
const CAST = {
  students: ['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11'],
  educators: ['e1', 'e2'],
};
const ORGANIZATION = '019a0000-0000-7000-8000-000000000001';

const TIMES = {
  'in a lesson': '2026-11-24T10:20:00',
  'at night': '2026-11-25T04:10:00',
  'on a Sunday evening': '2026-11-29T21:00:00',
  'as the year begins': '2027-01-01T00:00:01',
};

function weekBefore(now: Date, seed = 1) {
  const subscribers = makeSubscribers('http://127.0.0.1:4000/demo/receiver', now);
  let count = 0;
  const classroom = createClassroom(
    CAST,
    planCurriculum(() => `id-${(count += 1)}`),
  );
  const history = pastWeek({
    organizationId: ORGANIZATION,
    subscribers,
    classroom,
    adminId: 'a1',
    retrySeconds: RETRY_SECONDS,
    now,
    chance: createChance(seed),
  });
  return { now, subscribers, history, classroom };
}

/** How many deliveries of a subscription have each status. */
function statuses({ subscribers, history }: ReturnType<typeof weekBefore>, name: string) {
  const id = subscribers.find(({ definition }) => definition.name === name)?.id;
  const counts: Record<string, number> = {};
  for (const { subscriptionId, status } of history.deliveries)
    if (subscriptionId === id) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe.each(Object.entries(TIMES))('the week before, %s', (_name, text) => {
  const week = weekBefore(new Date(text));
  const { now, history, subscribers } = week;

  it('has events of every type of the catalogue, with data that fit it', () => {
    const faults = history.events.flatMap(({ type, body }) =>
      findEventType(type)?.findFaults(JSON.parse(body).data),
    );
    expect(faults).toEqual([]);
    expect(new Set(history.events.map(({ type }) => type))).toEqual(
      new Set(EVENT_TYPES.map(({ name }) => name)),
    );
  });

  it('is a week long, and over', () => {
    const times = history.events.map(({ occurredAt }) => occurredAt.getTime());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(now.getTime() - WEEK_MS);
    expect(times[0]).toBeLessThan(now.getTime() - WEEK_MS + 86_400_000);
    const attempted = history.deliveries.flatMap(({ attempts }) =>
      attempts.map(({ startedAt }) => startedAt),
    );
    expect(Math.max(...times, ...attempted.map(Number))).toBeLessThan(now.getTime());
  });

  it('gives everything an id of its time, no two the same', () => {
    const rows = [...history.events, ...history.deliveries].map(({ id }) => id);
    expect(new Set(rows).size).toBe(rows.length);
    const byId = new Map(history.events.map((event) => [event.id, event]));
    for (const { id, eventId } of history.deliveries)
      expect(uuidTime(id)).toBe(byId.get(eventId)?.occurredAt.getTime());
  });

  it('leaves each subscription in its state', () => {
    expect(Object.keys(statuses(week, 'canvas-course-sync'))).toContain('SUCCEEDED');
    expect(statuses(week, 'parent-newsletter')).toMatchObject({
      SUCCEEDED: expect.any(Number),
      FAILED: expect.any(Number),
      RETRYING: expect.any(Number),
    });
    expect(statuses(week, 'student-records')['HELD']).toBe(29);
    expect(statuses(week, 'old-gradebook')).toMatchObject({ FAILED: 1, HELD: 44 });
    const retried = history.deliveries.filter(
      ({ status, attempts }) => status === 'SUCCEEDED' && attempts.length > 1,
    );
    expect(retried.length).toBeGreaterThan(10);
    expect(history.turns.size).toBe(3);
  });

  it('has deliveries as the database wants them, and retries no earlier than their schedule', () => {
    for (const { status, dueAt, completedAt, attempts } of history.deliveries) {
      expect(dueAt !== null).toBe(status === 'PENDING' || status === 'RETRYING');
      expect(completedAt !== null).toBe(status === 'SUCCEEDED' || status === 'FAILED');
      expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1));
      for (const [index, attempt] of attempts.slice(1).entries()) {
        const waitedMs = attempt.startedAt.getTime() - (attempts[index]?.startedAt.getTime() ?? 0);
        expect(waitedMs).toBeGreaterThanOrEqual((RETRY_SECONDS[index] ?? 0) * 1_000);
      }
    }
  });

  it('was signed', () => {
    const secrets = new Map(subscribers.map(({ id, secretText }) => [id, secretText]));
    const bodies = new Map(history.events.map(({ id, body }) => [id, body]));
    for (const { subscriptionId, eventId, attempts } of history.deliveries.slice(-200)) {
      const [body, secret] = [bodies.get(eventId) ?? '', secrets.get(subscriptionId) ?? ''];
      for (const { requestHeaders, startedAt } of attempts) {
        const headers = new Headers(requestHeaders.map(([name, value]): [string, string] => [name, value]));
        expect(verifyWebhook(body, headers, secret, { now: startedAt })).toEqual(JSON.parse(body));
        expect(verifyWebhookSignature(body, headers.get('x-optio-signature'), secret)).toBe(true);
      }
    }
  });
});

describe('what the class has done', () => {
  const { history, classroom } = weekBefore(new Date('2026-11-28T00:00:00'));
  const learners = classroom.records.learners();
  const told = (type: string) =>
    history.events.filter((event) => event.type === type).map(({ body }) => JSON.parse(body).data);

  it('is what the events tell: each task once, quests with their last task, XP that adds up', () => {
    const tasks = told('task.completed').map(({ user_id, task_id }) => `${user_id} ${task_id}`);
    expect(new Set(tasks).size).toBe(tasks.length);
    const done = learners.flatMap(({ userId, enrolments }) =>
      enrolments.flatMap(({ completions }) => completions.map(({ task }) => `${userId} ${task.id}`)),
    );
    expect(done.toSorted()).toEqual(tasks.toSorted());
    for (const { userId, enrolments, questsCompleted } of learners) {
      const quests = told('quest.completed').filter(({ user_id }) => user_id === userId);
      expect(quests).toHaveLength(questsCompleted);
      for (const { quest, xpEarned, completedAt } of enrolments) {
        const event = quests.find(({ quest_id }) => quest_id === quest.id);
        expect(event?.total_xp_earned).toBe(completedAt === null ? undefined : xpEarned);
      }
    }
  });

  it('leaves something to do, and something to look at', () => {
    const enrolments = learners.flatMap((learner) => learner.enrolments);
    expect(learners.every(({ questsCompleted }) => questsCompleted < 16)).toBe(true);
    expect(enrolments.filter(({ completedAt }) => completedAt === null).length).toBeGreaterThan(5);
    expect(enrolments.filter(({ waiting }) => waiting !== undefined).length).toBeGreaterThan(0);
    const approved = enrolments.flatMap(({ completions }) => completions);
    for (const { task, approvedById } of approved) expect(approvedById !== null).toBe(task.requiresApproval);
  });
});

describe('a week at school', () => {
  const { history } = weekBefore(new Date('2026-11-28T00:00:00'));

  const countAt = (days: readonly number[], hours: readonly number[]) =>
    history.events.filter(
      ({ occurredAt }) => days.includes(occurredAt.getDay()) && hours.includes(occurredAt.getHours()),
    ).length;

  it('is busy in lessons, quiet in the evening and on weekends, and nobody is up at three', () => {
    const lessons = countAt([1, 2, 3, 4, 5], [9, 10, 11]);
    expect(lessons).toBeGreaterThan(200);
    expect(countAt([1, 2, 3, 4, 5], [19, 20, 21])).toBeLessThan(lessons / 2);
    expect(countAt([0, 6], [9, 10, 11])).toBeLessThan(lessons / 5);
    expect(countAt([0, 1, 2, 3, 4, 5, 6], [2, 3])).toBe(0);
  });

  it('fits into a first start: some thousand rows', () => {
    expect(history.events.length).toBeGreaterThan(800);
    expect(history.deliveries.length).toBeLessThan(5_000);
  });
});

describe('chance', () => {
  const bodies = ({ events }: History) => events.map(({ occurredAt, body }) => [occurredAt, body]);

  it('makes the same week of the same seed, and another one of another', () => {
    const now = new Date(TIMES['in a lesson']);
    const [first, again, other] = [1, 1, 2].map((seed) => bodies(weekBefore(now, seed).history));
    // The id of a subscription is another one each time.
    const withoutIds = (week: unknown) => JSON.stringify(week).replace(/"subscription_id\\":\\"[^"]+/g, '');
    expect(withoutIds(first)).toBe(withoutIds(again));
    expect(withoutIds(first)).not.toBe(withoutIds(other));
  });
});
