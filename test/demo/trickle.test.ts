import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelLongHeld } from '../../src/demo/held.ts';
import { emitSlot, paceMs, type TrickleOptions } from '../../src/demo/trickle.ts';
import { findEventType } from '../../src/events/event-type.ts';
import { createSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { openWorld, type World } from '../support/world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const CAST = { students: ['s1', 's2'], educators: ['e1'] };

let world: World;
let options: TrickleOptions;
beforeAll(async () => {
  world = await openWorld();
  const organizationId = await world.createOrganization();
  const { wakeLanes } = world.context(organizationId);
  const { clock, tenancy } = world;
  options = { clock, tenancy, wakeLanes, organizationId, cast: CAST, onError: () => undefined };
});
afterAll(() => world.close());

describe('The trickle', () => {
  it('lets an event of the catalogue happen in each slot', async () => {
    for (let slot = 1_000; slot < 1_030; slot++) await emitSlot(options, slot);
    const rows = await world.query('SELECT type, body FROM events WHERE organization_id = $1', [
      options.organizationId,
    ]);
    expect(rows.length).toBe(30);
    expect(new Set(rows.map(({ type }) => type)).size).toBeGreaterThan(3);
    for (const { type, body } of rows)
      expect(findEventType(String(type))?.findFaults(JSON.parse(String(body)).data)).toEqual([]);
  });

  it('lets it happen once, however many processes there are', async () => {
    await Promise.all([1, 2, 3].map(() => emitSlot(options, 2_000)));
    const rows = await world.query(`SELECT id FROM events WHERE idempotency_key = 'demo-2000'`);
    expect(rows.length).toBe(1);
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
      await emitSlot({ ...options, organizationId }, 3_000);
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
