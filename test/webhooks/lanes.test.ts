import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { envelope } from '../../src/events/envelope.ts';
import { newId } from '../../src/lib/ids.ts';
import type { LaneJobs, LaneLease } from '../../src/platform/jobs.ts';
import type { Deliveries } from '../../src/webhooks/deliveries.ts';
import {
  createSubscription,
  deleteSubscription,
  updateSubscription,
} from '../../src/webhooks/subscription.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let receiver: Receiver;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  receiver = await startReceiver();
  organizationId = await world.createOrganization();
});
afterEach(async () => {
  await receiver.close();
  // What a test leaves waiting is not the next one's.
  await world.query('DELETE FROM deliveries');
});

const context = () => world.context(organizationId);
const emit = (count: number) =>
  emitEvents(
    context(),
    Array.from({ length: count }, () => exampleEvent()),
  );

async function subscribe(settings = {}) {
  const { subscription } = await createSubscription(context(), {
    targetUrl: receiver.url,
    eventTypes: ['*'],
    ...settings,
  });
  return subscription.id;
}

/** A worker for this test only. */
function startWorker(): Deliveries {
  const worker = world.startWorker();
  onTestFinished(() => worker.stop());
  return worker;
}

const take = () => world.jobs.take(100);

/** How many deliveries have each status. */
async function statuses(): Promise<Record<string, number>> {
  const rows = await world.query(
    'SELECT status, count(*)::int AS count FROM deliveries WHERE organization_id = $1 GROUP BY status',
    [organizationId],
  );
  return Object.fromEntries(rows.map((row) => [String(row['status']), Number(row['count'])]));
}

const EMIT_BY_SQL = `SELECT * FROM optio.emit_events($1, ARRAY[$2]::uuid[], ARRAY['task.completed'], ARRAY[now()],
  ARRAY[$3], ARRAY[NULL]::text[], ARRAY[NULL]::bytea[], $4)`;

function sqlEvent(): unknown[] {
  const { type, data } = exampleEvent();
  const occurredAt = world.clock.now();
  return [organizationId, newId(), envelope({ type, data, occurredAt, organizationId }), occurredAt];
}

describe('the queue of lanes', () => {
  it('holds a lane once, however often it is queued', async () => {
    const lane = { organizationId, subscriptionId: newId() };
    await Promise.all(Array.from({ length: 10 }, () => world.jobs.enqueue([lane, lane])));
    const taken = await Promise.all([take(), take(), take()]);
    expect(taken.flat()).toEqual([{ ...lane, job: { id: expect.any(String), retryCount: 0 } }]);
    await world.jobs.complete(taken.flat());
  });

  it('keeps a lane that is queued during its turn back until that ends, and then gives it once', async () => {
    const lane = { organizationId, subscriptionId: newId() };
    await world.jobs.enqueue([lane]);
    const turn = await take();
    await Promise.all([world.jobs.enqueue([lane]), world.jobs.enqueue([lane])]);
    expect(await take()).toEqual([]);
    await world.jobs.complete(turn);
    const next = await take();
    expect(next).toMatchObject([lane]);
    expect(await take()).toEqual([]);
    await world.jobs.complete(next);
  });

  it('gives each of many lanes to one of many takers', async () => {
    const lanes = Array.from({ length: 50 }, () => ({ organizationId, subscriptionId: newId() }));
    await world.jobs.enqueue(lanes);
    const taken = (await Promise.all(Array.from({ length: 10 }, () => world.jobs.take(20)))).flat();
    expect(taken.map((lease) => lease.subscriptionId).toSorted()).toEqual(
      lanes.map((lane) => lane.subscriptionId).toSorted(),
    );
    expect(await world.jobs.renew(taken)).toHaveLength(50);
    await world.jobs.complete(taken);
    expect(await world.jobs.renew(taken)).toEqual([]);
  });

  it('leaves a turn alone that is another one by now (webhooks rule 15)', async () => {
    await world.jobs.enqueue([{ organizationId, subscriptionId: newId() }]);
    const [turn] = await take();
    if (turn === undefined) throw new Error('Expected a lane.');
    const stale = { ...turn, job: { ...turn.job, retryCount: turn.job.retryCount + 1 } };
    await world.jobs.complete([stale]);
    expect(await world.jobs.renew([stale])).toEqual([]);
    expect(await world.jobs.renew([turn])).toEqual([turn]);
    await world.jobs.complete([turn]);
  });
});

describe('several workers', () => {
  it('send each of 500 deliveries once (webhooks rule 19)', async () => {
    for (let lane = 0; lane < 5; lane += 1) await subscribe({ maxConcurrency: 5 });
    startWorker();
    startWorker();
    await Promise.all(Array.from({ length: 10 }, () => emit(10)));
    await receiver.received(500);
    await eventually(async () => expect(await statuses()).toEqual({ SUCCEEDED: 500 }));
    const ids = receiver.requests.map((request) => request.headers['x-optio-delivery']);
    expect(ids).toHaveLength(500);
    expect(new Set(ids).size).toBe(500);
    const [attempts] = await world.query(
      'SELECT count(*)::int AS count, max(number) AS most FROM delivery_attempts WHERE organization_id = $1',
      [organizationId],
    );
    expect(attempts).toEqual({ count: 500, most: 1 });
  });

  // Waits for a heartbeat of ten seconds to be missed: the one long test.
  it('take over the lane of one that vanished (webhooks rule 13)', async () => {
    const subscriptionId = await subscribe();
    await world.jobs.enqueue([{ organizationId, subscriptionId }]);
    const taken = await take();
    expect(taken).toContainEqual(expect.objectContaining({ subscriptionId }));
    await world.jobs.complete(taken.filter((lease) => lease.subscriptionId !== subscriptionId));
    startWorker();
    await emit(1);
    const [request] = await receiver.received(1);
    expect(request?.headers['x-optio-event']).toBe('task.completed');
    await eventually(async () => expect(await statuses()).toEqual({ SUCCEEDED: 1 }));
  });

  it('do not trust a lane whose lease may have ended before they heard of it (webhooks rule 13)', async () => {
    await subscribe();
    const { jobs, taken } = frozenWhileTaking(9_000);
    const worker = world.startWorker({ jobs });
    onTestFinished(() => worker.stop());
    await emit(1);
    await receiver.received(1);
    expect(taken()).toBeGreaterThan(1);
  });
});

/** The jobs of a process that is frozen for so long before it hears of the first lane that it has taken. */
function frozenWhileTaking(ms: number) {
  let taken = 0;
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now');
  onTestFinished(() => clock.mockRestore());
  const hear = (leases: readonly LaneLease[]): readonly LaneLease[] => {
    taken += leases.length;
    if (taken > 0) clock.mockImplementation(() => now() + ms);
    return leases;
  };
  const jobs: LaneJobs = {
    ...world.jobs,
    take: async (limit) => hear(await world.jobs.take(limit)),
    takeOrQueue: async (lanes) => hear(await world.jobs.takeOrQueue(lanes)),
  };
  return { jobs, taken: () => taken };
}

describe('what nobody woke a worker for', () => {
  it('an event emitted by SQL alone is found by the scan and delivered (webhooks rule 6)', async () => {
    await subscribe();
    startWorker();
    await world.query(EMIT_BY_SQL, sqlEvent());
    const [request] = await receiver.received(1);
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      event: 'task.completed',
      organization_id: organizationId,
    });
  });

  it('a straggler that was emitted while its subscription was being paused is held', async () => {
    const subscriptionId = await subscribe();
    startWorker();
    await emitDuring(() => updateSubscription(context(), subscriptionId, { active: false }));
    expect(await statuses()).toEqual({ PENDING: 1 });
    await eventually(async () => expect(await statuses()).toEqual({ HELD: 1 }));
    expect(receiver.requests).toEqual([]);
  });

  it('a straggler that was emitted while its subscription was being deleted is cancelled (webhooks rule 12a)', async () => {
    const subscriptionId = await subscribe();
    startWorker();
    await emitDuring(() => deleteSubscription(context(), subscriptionId));
    await eventually(async () => expect(await statuses()).toEqual({ CANCELLED: 1 }));
    expect(receiver.requests).toEqual([]);
  });

  it('many emits beside pauses and resumes end delivered or held, none pending', async () => {
    const subscriptionId = await subscribe();
    startWorker();
    const changes = [false, true, false, true, false];
    await Promise.all([
      ...Array.from({ length: 20 }, () => emit(3)),
      (async () => {
        for (const active of changes) await updateSubscription(context(), subscriptionId, { active });
      })(),
    ]);
    await eventually(async () => {
      const { HELD = 0, SUCCEEDED = 0, ...others } = await statuses();
      expect(others).toEqual({});
      expect(HELD + SUCCEEDED).toBe(60);
    });
    await updateSubscription(context(), subscriptionId, { active: true });
    await eventually(async () => expect(await statuses()).toEqual({ SUCCEEDED: 60 }));
    expect(new Set(receiver.requests.map((request) => request.headers['x-optio-delivery'])).size).toBe(60);
  });
});

/** Emits in a transaction that sees the subscription as it was, and is committed after the change. */
async function emitDuring(change: () => Promise<unknown>): Promise<void> {
  const client = await world.workerPool.connect();
  await client.query('BEGIN');
  await client.query(EMIT_BY_SQL, sqlEvent());
  await change();
  await client.query('COMMIT');
  client.release();
}
