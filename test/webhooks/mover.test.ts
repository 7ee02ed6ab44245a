import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents, emitInTransaction } from '../../src/events/emit.ts';
import { newId } from '../../src/lib/ids.ts';
import { claimDue } from '../../src/webhooks/lane-sql.ts';
import { findMisplaced, moveMisplaced, PIECE } from '../../src/webhooks/mover.ts';
import {
  createSubscription,
  deleteSubscription,
  updateSubscription,
} from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { costOf } from '../support/explain.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

const MANY = 20_000;

let world: World;
let organizationId: string;

// No worker runs: rows are moved when a test says so.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
});
afterEach(() => world.query('DELETE FROM deliveries'));

const context = () => world.context(organizationId);
const options = () => ({
  ...world,
  pool: world.workerPool,
  onError: (error: Error) => expect.fail(error.message),
});
const move = (isStopped?: () => boolean) => moveMisplaced(options(), isStopped);
const setActive = (id: string, active: boolean) => updateSubscription(context(), id, { active });

async function subscribe(): Promise<string> {
  const { subscription } = await createSubscription(context(), {
    targetUrl: 'https://127.0.0.1/hooks',
    eventTypes: ['*'],
  });
  return subscription.id;
}

async function fill(subscriptionId: string, count = MANY): Promise<void> {
  await world.query(
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
     SELECT $1, optio.uuid_v7(), $2, $3, 'task.completed', 'PENDING', $4::timestamptz - n * interval '1 millisecond'
     FROM generate_series(1, $5::int) AS n`,
    [organizationId, subscriptionId, newId(), world.clock.now(), count],
  );
  await world.query('ANALYZE deliveries');
}

async function statuses(): Promise<Record<string, number>> {
  const rows = await world.query(
    'SELECT status, count(*)::int AS count FROM deliveries WHERE organization_id = $1 GROUP BY status',
    [organizationId],
  );
  return Object.fromEntries(rows.map((row) => [String(row['status']), Number(row['count'])]));
}

/** The most deliveries of the organization that one transaction changed. Each change has its line in the log. */
async function mostInOneTransaction(): Promise<number> {
  const [row] = await world.query(
    `SELECT max(count)::int AS most FROM (
       SELECT count(*) FROM delivery_updates WHERE organization_id = $1 GROUP BY transaction_id) AS t`,
    [organizationId],
  );
  return Number(row?.['most']);
}

const claimAll = (subscriptionId: string, pool: Pool = world.workerPool) =>
  claimDue(pool, [{ organizationId, subscriptionId, limit: 100 }], [], world.clock.now());

describe(`a subscription with ${MANY} waiting deliveries`, () => {
  it('is paused, resumed and deleted at once; its deliveries follow in pieces', async () => {
    const id = await subscribe();
    await fill(id);
    expect(await setActive(id, false)).toMatchObject({ status: 'PAUSED' });
    expect(await statuses()).toEqual({ HELD: PIECE, PENDING: MANY - PIECE });
    await move();
    expect(await statuses()).toEqual({ HELD: MANY });

    expect(await setActive(id, true)).toMatchObject({ status: 'ACTIVE' });
    expect(await statuses()).toEqual({ PENDING: PIECE, HELD: MANY - PIECE });
    await move();
    expect(await statuses()).toEqual({ PENDING: MANY });

    await deleteSubscription(context(), id);
    await move();
    expect(await statuses()).toEqual({ CANCELLED: MANY });
    expect(await mostInOneTransaction()).toBe(PIECE);
    expect(await findMisplaced(world.workerPool)).toEqual([]);
  });

  it('has none to send from the moment it is paused, and to find that out reads nothing of them', async () => {
    const id = await subscribe();
    await fill(id);
    await setActive(id, false);
    expect((await claimAll(id)).flatMap(({ deliveries }) => deliveries)).toEqual([]);
    expect((await costOf(world.claimPool, 'deliveries', (pool) => claimAll(id, pool))).rowsRead).toBe(0);
  });

  it('has none to send from the moment it is deleted, and nobody looks for them', async () => {
    const id = await subscribe();
    await fill(id);
    await deleteSubscription(context(), id);
    expect((await claimAll(id)).flatMap(({ deliveries }) => deliveries)).toEqual([]);
    await expect(costOf(world.claimPool, 'deliveries', (pool) => claimAll(id, pool))).rejects.toThrow(
      'Nothing read deliveries.',
    );
  });

  it('is found out of place by a look at a few rows', async () => {
    const id = await subscribe();
    await fill(id);
    await setActive(id, false);
    await world.query('ANALYZE deliveries');
    expect((await costOf(world.workerPool, 'deliveries', findMisplaced)).rowsRead).toBeLessThanOrEqual(10);
  });
});

describe('moving', () => {
  it('goes on where it was broken off', async () => {
    const id = await subscribe();
    await fill(id, 3 * PIECE);
    await setActive(id, false);
    let looks = 0;
    await move(() => ++looks > 2);
    expect(await statuses()).toEqual({ HELD: 2 * PIECE, PENDING: PIECE });
    await move();
    expect(await statuses()).toEqual({ HELD: 3 * PIECE });
  });

  it('is done in turns: one with much does not keep the others waiting', async () => {
    const [much, little] = [await subscribe(), await subscribe()];
    await fill(much, 4 * PIECE);
    await fill(little, 1);
    await world.query("UPDATE webhook_subscriptions SET status = 'PAUSED' WHERE id IN ($1, $2)", [
      much,
      little,
    ]);
    let looks = 0;
    await move(() => ++looks > 3);
    const [row] = await world.query('SELECT status FROM deliveries WHERE subscription_id = $1', [little]);
    expect(row).toEqual({ status: 'HELD' });
  });

  it('never waits for a row that is being settled, and comes back for it', async () => {
    const id = await subscribe();
    await fill(id, 3);
    const client = await world.workerPool.connect();
    await client.query('BEGIN');
    await client.query('SELECT FROM deliveries WHERE subscription_id = $1 LIMIT 1 FOR UPDATE', [id]);
    await setActive(id, false);
    await move();
    expect(await statuses()).toEqual({ HELD: 2, PENDING: 1 });
    await client.query('COMMIT');
    client.release();
    await move();
    expect(await statuses()).toEqual({ HELD: 3 });
  });

  it('leaves test events of a paused subscription to be sent, and cancels them with a deleted one', async () => {
    const id = await subscribe();
    await setActive(id, false);
    const { delivery: test } = await sendTestEvent(context(), { subscriptionId: id });
    await move();
    expect((await claimAll(id)).flatMap(({ deliveries }) => deliveries)).toMatchObject([{ id: test.id }]);
    await deleteSubscription(context(), id);
    expect(await statuses()).toEqual({ CANCELLED: 1 });
  });

  it('releases what an emit that was under way during the resume held', async () => {
    const id = await subscribe();
    await setActive(id, false);
    await context().write(async (unit) => {
      await emitInTransaction(unit, organizationId, [exampleEvent()], context());
      await setActive(id, true);
    });
    expect(await statuses()).toEqual({ HELD: 1 });
    await move();
    expect(await statuses()).toEqual({ PENDING: 1 });
  });

  it('keeps a failed attempt’s delivery from waiting in a lane that was paused meanwhile', async () => {
    const id = await subscribe();
    await emitEvents(context(), [exampleEvent()]);
    await world.query("UPDATE webhook_subscriptions SET status = 'PAUSED' WHERE id = $1", [id]);
    await world.query(
      "UPDATE deliveries SET status = 'RETRYING', attempt_count = 1, due_at = now() + interval '1 day'",
    );
    await move();
    expect(await statuses()).toEqual({ HELD: 1 });
    await setActive(id, true);
    expect(await statuses()).toEqual({ RETRYING: 1 });
  });
});
