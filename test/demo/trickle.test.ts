import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActDependencies } from '../../src/demo/acts.ts';
import { cancelLongHeld } from '../../src/demo/held.ts';
import { actInSlot, paceMs } from '../../src/demo/trickle.ts';
import { emitEvents } from '../../src/events/emit.ts';
import { findEventType } from '../../src/events/event-type.ts';
import { newId } from '../../src/lib/ids.ts';
import { createSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { TEST_KEY } from '../support/database.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CAST = { students: [newId(), newId()], educators: [newId()] };

let world: World;
let options: ActDependencies;
beforeAll(async () => {
  world = await openWorld();
  const organizationId = await world.createOrganization();
  const { wakeLanes } = world.context(organizationId);
  const { clock, tenancy } = world;
  options = { clock, tenancy, wakeLanes, organizationId, cast: CAST, keys: [TEST_KEY] };
  for (const [id, role] of [
    ...CAST.students.map((student) => [student, 'STUDENT']),
    ...CAST.educators.map((educator) => [educator, 'EDUCATOR']),
  ]) {
    await world.query('INSERT INTO users (id, email, name) VALUES ($1, $2, $2)', [
      id,
      `${id}@school.example`,
    ]);
    await world.query(
      'INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")',
      [organizationId, id, role],
    );
  }
});
afterAll(() => world.close());

describe('The trickle', () => {
  const events = () =>
    world.query('SELECT type, body FROM events WHERE organization_id = $1 ORDER BY id', [
      options.organizationId,
    ]);

  it('lets a class learn, by the learning core itself, from a school without quests on', async () => {
    for (let slot = 1_000; slot < 1_080; slot++) await actInSlot(options, slot);
    const told = await events();
    expect(told.length).toBeGreaterThan(60);
    expect(new Set(told.map(({ type }) => type))).toEqual(
      new Set(['task.submitted', 'task.completed', 'quest.completed', 'grade.updated']),
    );
    for (const { type, body } of told)
      expect(findEventType(String(type))?.findFaults(JSON.parse(String(body)).data)).toEqual([]);
    const [{ completed, counted } = {}] = await world.query(
      `SELECT (SELECT count(*)::int FROM task_completions) AS completed, (SELECT sum(tasks_completed)::int FROM learners) AS counted`,
    );
    expect(completed).toBe(told.filter(({ type }) => type === 'task.completed').length);
    expect(counted).toBe(completed);
  });

  it('lets one thing happen, however many processes there are', async () => {
    const before = (await events()).length;
    const acts = () => world.query(`SELECT FROM mutation_idempotency_keys WHERE operation = 'demo'`);
    const claimed = (await acts()).length;
    await Promise.all([1, 2, 3].map(() => actInSlot(options, 2_000)));
    expect((await acts()).length).toBe(claimed + 1);
    const news = (await events()).slice(before).map(({ type }) => type);
    // A task may complete its quest.
    expect(new Set(news).size).toBe(news.length);
  });

  it('goes on when somebody else was there first', async () => {
    await world.query('DELETE FROM memberships WHERE user_id = $1', [CAST.students[0]]);
    const before = (await events()).length;
    for (let slot = 3_000; slot < 3_010; slot++) await actInSlot(options, slot);
    expect((await events()).length).toBeGreaterThan(before);
  });

  it('slows down when it is left alone: some thousand events a day at most, for ever', () => {
    expect(paceMs(0)).toBe(10_000);
    expect(paceMs(2 * HOUR_MS)).toBe(10_000);
    expect(paceMs(6 * HOUR_MS)).toBe(30_000);
    expect(paceMs(365 * DAY_MS)).toBe(60_000);
  });
});

describe('What the demo holds', () => {
  it('is cancelled after a week, so that history can end; the newer and the others stay', async () => {
    const [mine, other] = [options.organizationId, await world.createOrganization()];
    for (const organizationId of [mine, other]) {
      const context = world.context(organizationId);
      const { subscription } = await createSubscription(context, {
        targetUrl: 'http://127.0.0.1:4999/',
        eventTypes: ['*'],
      });
      await updateSubscription(context, subscription.id, { active: false });
      await emitEvents(context, [exampleEvent()]);
    }
    const statusOf = async (organizationId: string) =>
      (await world.query('SELECT status FROM deliveries WHERE organization_id = $1', [organizationId])).map(
        ({ status }) => status,
      );
    const now = Date.now();
    await cancelLongHeld(world.workerPool, mine, new Date(now + 6 * DAY_MS));
    expect(await statusOf(mine)).toEqual(['HELD']);
    await cancelLongHeld(world.workerPool, mine, new Date(now + 7 * DAY_MS + HOUR_MS));
    expect([await statusOf(mine), await statusOf(other)]).toEqual([['CANCELLED'], ['HELD']]);
    const updates = await world.query(
      `SELECT status FROM delivery_updates WHERE organization_id = $1 ORDER BY sequence`,
      [mine],
    );
    expect(updates.map(({ status }) => status)).toEqual(['HELD', 'CANCELLED']);
  });
});
