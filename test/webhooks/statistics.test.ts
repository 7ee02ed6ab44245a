import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keepPartitions } from '../../src/platform/database/partitions.ts';
import { inTransaction } from '../../src/platform/database/pool.ts';
import type { Settled } from '../../src/webhooks/attempt.ts';
import { retryDelivery } from '../../src/webhooks/delivery.ts';
import type { ClaimedDelivery } from '../../src/webhooks/lane-sql.ts';
import { percentileOf } from '../../src/webhooks/latency-histogram.ts';
import type { Outcome } from '../../src/webhooks/outcome.ts';
import { settleBatch } from '../../src/webhooks/settlement-sql.ts';
import { readStatistics, type StatisticsQuestion } from '../../src/webhooks/statistics.ts';
import { latencyOf } from '../../src/webhooks/statistics-figures.ts';
import { compactStatistics } from '../../src/webhooks/statistics-job.ts';
import { deleteSubscription } from '../../src/webhooks/subscription.ts';
import { FAILED, openStillLane, retryAt, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

// Each test sets its own noon, apart from all others, and goes on from there.
let noon: Date;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  const day = Math.ceil(world.clock.now().getTime() / DAY_MS) + 1;
  noon = new Date(day * DAY_MS + 12 * HOUR_MS);
  world.clock.advance(noon.getTime() - world.clock.now().getTime());
  lane = await openStillLane(world);
});

const TIMED_OUT: Outcome = { kind: 'failed', error: 'Too late.', errorKind: 'timeout' };
const REFUSED: Outcome = { kind: 'failed', error: 'Refused.', errorKind: 'connect' };
const retry = () => retryAt(new Date(world.clock.now().getTime() + 1_000));

/** An attempt that took so long. */
function took(delivery: ClaimedDelivery, outcome: Outcome, totalMs: number): Settled {
  const settled = lane.attemptOf(delivery, outcome);
  return { ...settled, result: { ...settled.result, timing: { ...settled.result.timing, totalMs } } };
}

const statistics = (question: StatisticsQuestion = {}) => readStatistics(lane.context, question);
const compact = (piece?: number) =>
  compactStatistics(world.workerPool, world.clock.now(), piece === undefined ? {} : { piece });
const later = (ms: number) => world.clock.advance(ms);

/** A day of every outcome, over several hours, to two subscriptions: some ended, some were retried and sent again. */
async function liveADay(): Promise<void> {
  const outcomes: readonly Outcome[] = [SUCCEEDED, SUCCEEDED, retry(), FAILED, TIMED_OUT, REFUSED];
  for (let hour = 0; hour < 4; hour++) {
    const claimed = await lane.emitAndClaim(12);
    const batch = claimed.map((delivery, index) =>
      took(delivery, outcomes[(index + hour) % outcomes.length] ?? SUCCEEDED, 2 ** (index % 11)),
    );
    await lane.settle(...batch);
    later(HOUR_MS);
  }
}

// What a count over the history says, in words of its own.
const COUNT = `
  SELECT
    (SELECT count(*)::int FROM deliveries WHERE organization_id = $1 AND status = 'SUCCEEDED') AS succeeded,
    (SELECT count(*)::int FROM deliveries WHERE organization_id = $1 AND status = 'FAILED') AS failed,
    (SELECT count(*)::int FROM delivery_attempts WHERE organization_id = $1) AS attempts,
    (SELECT json_object_agg(error_kind, count) FROM (
      SELECT error_kind, count(*) FROM delivery_attempts WHERE organization_id = $1 AND error_kind IS NOT NULL GROUP BY 1) AS f
    ) AS failures`;

async function counted() {
  const [row] = await world.query(COUNT, [lane.organizationId]);
  return row;
}

async function told(question: StatisticsQuestion = {}) {
  const { total } = await statistics({ since: noon, until: new Date(noon.getTime() + DAY_MS), ...question });
  const { succeeded, failed, attempts } = total;
  const failures = Object.fromEntries(total.failures.map(({ reason, count }) => [reason, count]));
  return { succeeded, failed, attempts, failures };
}

const rollupCount = async () =>
  (
    await world.query('SELECT count(*)::int AS count FROM delivery_statistics WHERE organization_id = $1', [
      lane.organizationId,
    ])
  )[0]?.['count'];

describe('statistics equal a count over deliveries and attempts (webhooks rule 41)', () => {
  it('before, amid and after they are added up, in every unit of time (rule 41)', async () => {
    await liveADay();
    const expected = await counted();
    expect(expected).toMatchObject({ succeeded: 17, failed: 29, attempts: 56 });
    expect(await told()).toEqual(expected);
    expect(await rollupCount()).toBe(0);

    expect(await compactOnce(10)).toBe(10);
    expect(await rollupCount()).not.toBe(0);
    for (const bucket of ['minute', 'hour', 'day'] as const) expect(await told({ bucket })).toEqual(expected);

    await compact(7);
    expect(await world.query('SELECT FROM delivery_statistics_deltas')).toEqual([]);
    for (const bucket of ['minute', 'hour', 'day'] as const) expect(await told({ bucket })).toEqual(expected);
  });

  it('after a compaction that was broken off, and one that ran twice at once (rule 41)', async () => {
    await liveADay();
    const expected = await counted();
    const client = await world.workerPool.connect();
    await client.query('BEGIN');
    const [row] = (
      await client.query("SELECT optio.compact_statistics('{day}', '{2000-01-01}', 100) AS taken")
    ).rows;
    expect(row).toMatchObject({ taken: expect.any(Number) });
    // While it is under way nobody else takes the same, and what is read is what was there before.
    expect(await compact()).toBe(0);
    expect(await told()).toEqual(expected);
    // As a process that is killed leaves it.
    client.release(true);

    await expect.poll(() => compact()).toBeGreaterThan(0);
    expect(await told()).toEqual(expected);
  });

  it('after an attempt whose result came twice, or too late (rule 41)', async () => {
    const delivery = await lane.claimOne();
    const [first, again] = [lane.attemptOf(delivery, SUCCEEDED), lane.attemptOf(delivery, FAILED)];
    await lane.settle(first);
    await lane.settle(again, again);
    expect(await told()).toEqual({ succeeded: 1, failed: 0, attempts: 1, failures: {} });
  });

  it('after a settlement that was rolled back (rule 41)', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, retry()));
    const broken = inTransaction(world.workerPool, async (client) => {
      const second = lane.attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED);
      await settleBatch(client, [second], world.clock.now());
      throw new Error('The worker died.');
    });
    await expect(broken).rejects.toThrow('died');
    expect(await told()).toEqual({ succeeded: 0, failed: 0, attempts: 1, failures: { http_status: 1 } });
  });

  it('of a failed delivery that is retried by hand: it counts when it ends again (rule 41)', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, FAILED));
    await compact();
    expect(await told()).toMatchObject({ succeeded: 0, failed: 1 });

    later(3 * MINUTE_MS);
    await retryDelivery(lane.context, delivery.id);
    expect(await told()).toMatchObject({ succeeded: 0, failed: 0, attempts: 1 });
    await lane.settle(lane.attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED));
    await compact();
    expect(await told()).toMatchObject({ succeeded: 1, failed: 0, attempts: 2 });
    expect(await told()).toEqual({ ...(await counted()) });
  });

  it('and still do when the partitions of the deliveries were dropped (rule 41)', async () => {
    await keepPartitions({
      pool: world.workerPool,
      now: world.clock.now(),
      retention: { days: 90, updateLogDays: 7 },
    });
    // Ids carry the real time; only what lies in this month's partition is dropped below.
    await liveADay();
    await compact();
    const expected = await told({ bucket: 'day' });
    await world.query(
      "UPDATE deliveries SET due_at = NULL, status = 'CANCELLED', completed_at = now() WHERE due_at IS NOT NULL",
    );
    const future = new Date(Date.now() + 150 * DAY_MS);
    const dropped = await keepPartitions({
      pool: world.workerPool,
      now: future,
      retention: { days: 90, updateLogDays: 7 },
    });
    expect(dropped).toEqual(expect.arrayContaining([expect.stringMatching(/^deliveries_\d{6}$/)]));
    expect(await counted()).toMatchObject({ succeeded: 0, attempts: 0 });
    expect(await told({ bucket: 'day' })).toEqual(expected);
    expect(expected).toMatchObject({ succeeded: 17, failed: 29, attempts: 56 });
  });

  it('counted anew from the history they are the same, whatever was counted before (rule 41)', async () => {
    await liveADay();
    await compact();
    const before = await statistics({ groupBy: ['subscription', 'event_type'], bucket: 'minute' });
    await world.query('SELECT optio.recount_statistics($1)', [lane.organizationId]);
    expect(await statistics({ groupBy: ['subscription', 'event_type'], bucket: 'minute' })).toEqual(before);
    await compact();
    expect(await statistics({ groupBy: ['subscription', 'event_type'], bucket: 'minute' })).toEqual(before);
  });
});

/** One piece only, as a run that is stopped after it. */
async function compactOnce(piece: number): Promise<number> {
  let steps = 0;
  return compactStatistics(world.workerPool, world.clock.now(), { piece, isStopped: () => steps++ > 0 });
}

describe('what statistics are told by', () => {
  it('buckets begin in UTC, in order, and what has not happened is left out (rule 41)', async () => {
    await lane.settle(lane.attemptOf(await lane.claimOne(), SUCCEEDED));
    later(2 * HOUR_MS + MINUTE_MS);
    await lane.settle(lane.attemptOf(await lane.claimOne(), FAILED));
    const { series } = await statistics({ bucket: 'hour' });
    expect(series).toHaveLength(1);
    expect(
      series[0]?.points.map(({ startsAt, figures }) => [startsAt, figures.succeeded, figures.failed]),
    ).toEqual([
      [noon, 1, 0],
      [new Date(noon.getTime() + 2 * HOUR_MS), 0, 1],
    ]);
    const [minute] = (await statistics({ bucket: 'minute', since: new Date(noon.getTime() + HOUR_MS) }))
      .series;
    expect(minute?.points.map(({ startsAt }) => startsAt)).toEqual([
      new Date(noon.getTime() + 2 * HOUR_MS + MINUTE_MS),
    ]);
  });

  it.each(['added up', 'fresh'])(
    'by subscription and event type, alone and together: %s (rule 41)',
    async (state) => {
      const other = await openSecondLane();
      await lane.settle(...(await lane.emitAndClaim(3)).map((one) => lane.attemptOf(one, SUCCEEDED)));
      if (state === 'added up') await compact();
      const apart = async (groupBy: StatisticsQuestion['groupBy'], filter: StatisticsQuestion = {}) =>
        (await statistics({ ...(groupBy === undefined ? {} : { groupBy }), ...filter })).series.map(
          ({ subscriptionId, eventType, total }) => [subscriptionId, eventType, total.succeeded],
        );
      expect(await apart([])).toEqual([[null, null, 4]]);
      expect(await apart(['event_type'])).toEqual([
        [null, 'task.completed', 3],
        [null, 'badge.earned', 1],
      ]);
      expect(await apart(['subscription'])).toEqual([
        [lane.subscriptionId, null, 3],
        [other, null, 1],
      ]);
      expect(await apart(['subscription', 'event_type'])).toEqual([
        [lane.subscriptionId, 'task.completed', 3],
        [other, 'badge.earned', 1],
      ]);
      expect(await apart([], { subscriptionId: other })).toEqual([[other, null, 1]]);
      expect(await apart(['subscription'], { eventType: 'badge.earned' })).toEqual([
        [other, 'badge.earned', 1],
      ]);
      expect(await apart([], { subscriptionId: 'none', eventType: '\0' })).toEqual([]);
    },
  );

  /** Made up of rows alone: one delivery of another type to another subscription that succeeded. */
  async function openSecondLane(): Promise<string> {
    const id = '019a0000-0000-7000-8000-0000000000c2';
    await world.query(
      `INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, count)
       VALUES ($1, $2, $3, 'badge.earned', 'SUCCEEDED', 1)`,
      [lane.organizationId, world.clock.now(), id],
    );
    return id;
  }

  it('latency of what was answered or timed out, within 9 % (rule 41)', async () => {
    const deliveries = await lane.emitAndClaim(200);
    await lane.settle(...deliveries.map((one, index) => took(one, SUCCEEDED, 10 + index)));
    const [refused, late] = await lane.emitAndClaim(2);
    if (refused === undefined || late === undefined) throw new Error('Expected two deliveries.');
    await lane.settle(took(refused, REFUSED, 0.2));
    const { total } = await statistics();
    const { p50Ms = 0, p95Ms = 0, p99Ms = 0 } = latencyOf(total) ?? {};
    expect(Math.abs(p50Ms - 110) / 110).toBeLessThan(0.09);
    expect(Math.abs(p95Ms - 200) / 200).toBeLessThan(0.09);
    expect(Math.abs(p99Ms - 208) / 208).toBeLessThan(0.09);

    await lane.settle(took(late, TIMED_OUT, 60_000));
    expect(percentileOf((await statistics()).total.latencies, 100)).toBeGreaterThan(55_000);
  });

  it('those of a subscription that was deleted stay (rule 41)', async () => {
    await lane.settle(lane.attemptOf(await lane.claimOne(), SUCCEEDED));
    await deleteSubscription(lane.context, lane.subscriptionId);
    expect(await told({ subscriptionId: lane.subscriptionId })).toMatchObject({ succeeded: 1 });
  });
});
