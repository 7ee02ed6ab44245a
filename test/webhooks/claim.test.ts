import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { findDueLanes } from '../../src/webhooks/lane-queue.ts';
import type { Position } from '../../src/webhooks/lane-reach.ts';
import { claimDue } from '../../src/webhooks/lane-sql.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
import { costOf } from '../support/explain.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let organizationId: string;

// No worker runs: only what the statements find is looked at.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
});
afterEach(() => world.query('DELETE FROM deliveries'));

async function subscribe(): Promise<string> {
  const { subscription } = await createSubscription(world.context(organizationId), {
    targetUrl: 'https://127.0.0.1/hooks',
    eventTypes: ['*'],
  });
  return subscription.id;
}

/** Deliveries that wait, without events; the last is due at `due`, each other one a millisecond earlier. */
async function fillLane(subscriptionId: string, count: number, due = world.clock.now()): Promise<void> {
  await world.query(
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
     SELECT $1, optio.uuid_v7(), $2, $3, 'task.completed', 'PENDING', $4::timestamptz - n * interval '1 millisecond'
     FROM generate_series(0, $5::int - 1) AS n`,
    [organizationId, subscriptionId, newId(), due, count],
  );
}

async function fillOne(subscriptionId: string, id: string, due: string): Promise<void> {
  await world.query(
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
     VALUES ($1, $2, $3, $2, 'task.completed', 'PENDING', $4)`,
    [organizationId, id, subscriptionId, due],
  );
}

async function cost(work: (pool: Pool) => Promise<unknown>, pool = world.workerPool) {
  await world.query('ANALYZE deliveries');
  return costOf(pool, 'deliveries', work);
}

function claimCost(work: (pool: Pool) => Promise<unknown>) {
  return cost(work, world.claimPool);
}

async function expectOnlyTheQueueIndex(indexes: readonly string[]): Promise<void> {
  const rows = await world.query(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'deliveries_waiting'::regclass",
  );
  const parts = rows.map((row) => row['name']);
  for (const index of indexes) expect(parts).toContain(index);
}

describe('the scan', () => {
  it('finds each lane with something due once, and none besides', async () => {
    const [due, retried, later, held] = [newId(), newId(), newId(), newId()];
    const now = world.clock.now();
    await fillLane(due, 30);
    await fillLane(retried, 1, new Date(now.getTime() - 3_600_000));
    await fillLane(later, 3, new Date(now.getTime() + 60_000));
    await fillLane(held, 3);
    await world.query("UPDATE deliveries SET status = 'HELD', due_at = NULL WHERE subscription_id = $1", [
      held,
    ]);
    const found = await findDueLanes(world.workerPool, now);
    expect(found.toSorted((a, b) => a.subscriptionId.localeCompare(b.subscriptionId))).toEqual(
      [due, retried].toSorted().map((subscriptionId) => ({ organizationId, subscriptionId })),
    );
    expect(await findDueLanes(world.workerPool, new Date(now.getTime() - 7_200_000))).toEqual([]);
    expect(await findDueLanes(world.workerPool, new Date(now.getTime() + 60_000))).toHaveLength(3);
  });

  it('is made by one of those that ask at the same time', async () => {
    await fillLane(newId(), 1);
    const client = await world.workerPool.connect();
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock(7431, 2)');
    expect(await findDueLanes(world.workerPool, world.clock.now())).toEqual([]);
    await client.query('COMMIT');
    client.release();
    expect(await findDueLanes(world.workerPool, world.clock.now())).toHaveLength(1);
  });

  it('reads a few rows a lane, with 20,000 waiting in one', async () => {
    await fillLane(newId(), 20_000);
    for (let lane = 0; lane < 3; lane += 1) await fillLane(newId(), 10);
    const { rowsRead, indexes } = await cost((pool) => findDueLanes(pool, world.clock.now()));
    expect(rowsRead).toBeLessThanOrEqual(4 * 2 + 1);
    await expectOnlyTheQueueIndex(indexes);
  });
});

describe('a claim', () => {
  it('reads what it asks for and what is in flight, with 20,000 waiting', async () => {
    const subscriptionId = await subscribe();
    await fillLane(subscriptionId, 20_000);
    const request = [{ organizationId, subscriptionId, limit: 100 }];
    const [first] = await claimDue(world.claimPool, request, [], world.clock.now());
    expect(first?.deliveries).toHaveLength(100);
    const inFlight = first?.deliveries.slice(0, 50).map(({ id }) => id) ?? [];
    const { rowsRead, indexes } = await claimCost((pool) =>
      claimDue(pool, request, inFlight, world.clock.now()),
    );
    expect(rowsRead).toBeLessThanOrEqual(150);
    expect(rowsRead).toBeGreaterThanOrEqual(100);
    await expectOnlyTheQueueIndex(indexes);
  });

  it('reads no more though the statistics are from when nothing waited, and is planned once', async () => {
    const [subscriptionId, other] = [await subscribe(), await subscribe()];
    await fillLane(other, 1);
    await world.query('ANALYZE deliveries');
    await fillLane(subscriptionId, 20_000);
    const request = [{ organizationId, subscriptionId, limit: 100 }];
    const claim = (pool: Pool) => claimDue(pool, request, [], world.clock.now());
    const { rowsRead, indexes } = await costOf(world.claimPool, 'deliveries', claim);
    expect(rowsRead).toBe(100);
    await expectOnlyTheQueueIndex(indexes);
    for (let turn = 0; turn < 10; turn += 1) await claim(world.claimPool);
    const { rows } = await world.claimPool.query(
      "SELECT custom_plans::int FROM pg_prepared_statements WHERE name = 'claim-due'",
    );
    expect(rows).toEqual([{ custom_plans: 0 }]);
  });

  it('takes the oldest first and leaves out what is in flight, not due, or another lane’s', async () => {
    const [one, other] = [await subscribe(), await subscribe()];
    await fillLane(one, 5);
    await fillLane(one, 2, new Date(world.clock.now().getTime() + 60_000));
    await fillLane(other, 5);
    const request = { organizationId, subscriptionId: one, limit: 10 };
    const [all] = await claimDue(world.claimPool, [request], [], world.clock.now());
    const expected = await world.query(
      'SELECT id FROM deliveries WHERE subscription_id = $1 AND due_at <= $2 ORDER BY due_at, id',
      [one, world.clock.now()],
    );
    expect(all?.deliveries.map(({ id }) => ({ id }))).toEqual(expected);
    const [first] = all?.deliveries ?? [];
    const [rest] = await claimDue(world.claimPool, [request], [first?.id ?? ''], world.clock.now());
    expect(rest?.deliveries).toEqual(all?.deliveries.slice(1));
  });

  it('goes on where the last one ended: it passes over nothing of what is in hand', async () => {
    const subscriptionId = await subscribe();
    await fillLane(subscriptionId, 20_000);
    const request = { organizationId, subscriptionId, limit: 100 };
    const now = world.clock.now();
    const [first] = await claimDue(world.claimPool, [request], [], now);
    const goOn = [{ ...request, after: first?.reached }];
    const [next] = await claimDue(world.claimPool, goOn, [], now);
    const [both] = await claimDue(world.claimPool, [{ ...request, limit: 200 }], [], now);
    expect([...(first?.deliveries ?? []), ...(next?.deliveries ?? [])]).toEqual(both?.deliveries);
    const { rowsRead, indexes } = await claimCost((pool) => claimDue(pool, goOn, [], now));
    expect(rowsRead).toBe(100);
    await expectOnlyTheQueueIndex(indexes);
  });

  it('tells the place where it ended, exactly, and none when nothing more is due', async () => {
    const subscriptionId = await subscribe();
    const due = '2026-11-28T01:02:03.456Z';
    const ids = [newId(), newId(), newId()].toSorted();
    for (const id of ids) await fillOne(subscriptionId, id, due);
    const claim = async (after?: Position, limit = 1) => {
      const request = { organizationId, subscriptionId, limit, after };
      const [found] = await claimDue(world.claimPool, [request], [], new Date('2026-11-29'));
      return found;
    };
    const first = await claim();
    expect(first?.reached).toEqual({
      dueAt: new Date(due),
      id: ids[0],
    });
    const second = await claim(first?.reached);
    const rest = await claim(second?.reached, 2);
    expect([first, second, rest].map((one) => one?.deliveries.map(({ id }) => id))).toEqual(
      ids.map((id) => [id]),
    );
    expect(rest?.reached).toBeUndefined();
  });

  it('tells of a lane with nothing due how its subscription stands', async () => {
    const subscriptionId = await subscribe();
    const claims = await claimDue(
      world.claimPool,
      [{ organizationId, subscriptionId, limit: 5 }],
      [],
      world.clock.now(),
    );
    expect(claims).toEqual([{ subscriptionId, version: 1, deliveries: [] }]);
  });

  it('does not read a lane under another organization’s key', async () => {
    const subscriptionId = await subscribe();
    await fillLane(subscriptionId, 1);
    const other = await world.createOrganization();
    expect(
      await claimDue(
        world.claimPool,
        [{ organizationId: other, subscriptionId, limit: 5 }],
        [],
        world.clock.now(),
      ),
    ).toEqual([]);
  });
});
