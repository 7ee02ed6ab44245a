import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { listDeliveries } from '../../src/webhooks/delivery.ts';
import {
  cancelReplay,
  getReplay,
  listReplays,
  previewReplay,
  startReplay,
} from '../../src/webhooks/replay.ts';
import type { ReplayRequest } from '../../src/webhooks/replay-input.ts';
import { runPiece, runReplays } from '../../src/webhooks/replay-job.ts';
import { createSubscription, deleteSubscription } from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { FAILED, openStillLane, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

// No worker runs: replays go on when a test says so.
beforeAll(async () => {
  world = await openWorld();
  // Ids are of the real time, and what is replayed was made before now.
  world.clock.advance(3_600_000);
});
afterAll(() => world.close());
beforeEach(async () => {
  lane = await openStillLane(world);
});

const options = () => ({
  ...world,
  pool: world.workerPool,
  onError: (error: Error) => expect.fail(error.message),
});
/** Lets the replays go on, a piece at a time, until nothing is due for a while. */
async function runAll(pieces = 10): Promise<void> {
  for (let piece = 0; piece < pieces; piece++) {
    await runReplays(options());
    world.clock.advance(1_000);
  }
}
const start = async (request: ReplayRequest) => (await startReplay(lane.context, request)).replay;
const deliveriesOf = async (replayId: string) =>
  (await listDeliveries(lane.context, { replayId }, { limit: 100 })).items;
const allDeliveries = async () => (await listDeliveries(lane.context, {}, { limit: 100 })).items;

async function failSome(count: number) {
  const claimed = await lane.emitAndClaim(count);
  await lane.settle(...claimed.map((delivery) => lane.attemptOf(delivery, FAILED)));
  return claimed;
}

/** Of everything that was made of a replay: it ends, with this outcome. */
async function settleAll(outcome = SUCCEEDED): Promise<void> {
  const claimed = await lane.claim();
  await lane.settle(...claimed.map((delivery) => lane.attemptOf(delivery, outcome)));
}

describe('a replay of what a filter finds', () => {
  it('is counted before, goes on in the background, and its deliveries lead back to it', async () => {
    const failed = await failSome(3);
    await lane.settle(lane.attemptOf(await lane.claimOne(), SUCCEEDED));
    expect(await previewReplay(lane.context, { statuses: ['FAILED'] })).toEqual({ value: 3, isExact: true });
    const replay = await start({ statuses: ['FAILED'] });
    expect(replay).toMatchObject({ state: 'RUNNING', total: 3, replayed: 0, clientId: 'test-client' });
    expect(await deliveriesOf(replay.id)).toEqual([]);

    await runAll();
    expect(await getReplay(lane.context, replay.id)).toMatchObject({ state: 'COMPLETED', replayed: 3 });
    const made = await deliveriesOf(replay.id);
    expect(made.map(({ replayOfId }) => replayOfId).toReversed()).toEqual(failed.map(({ id }) => id));
    expect(await lane.claim()).toHaveLength(3);
    const audit = await world.query(
      "SELECT action, changes FROM audit_entries WHERE target_id = $1 AND action LIKE 'replay.%'",
      [replay.id],
    );
    expect(audit).toMatchObject([{ action: 'replay.started', changes: { total: { to: 3 } } }]);
  });

  it('asked for again finds nothing: of an event to a subscription the latest delivery counts', async () => {
    await failSome(2);
    await start({ statuses: ['FAILED'] });
    await runAll();
    expect(await previewReplay(lane.context, { statuses: ['FAILED'] })).toMatchObject({ value: 0 });
    await settleAll(FAILED);
    expect(await previewReplay(lane.context, { statuses: ['FAILED'] })).toMatchObject({ value: 2 });
    await start({ statuses: ['FAILED'] });
    await runAll();
    await settleAll();
    expect(await allDeliveries()).toHaveLength(6);
    expect(await previewReplay(lane.context, { statuses: ['FAILED'] })).toMatchObject({ value: 0 });
  });

  it('takes what subscription, event type, status and time say, and no tests', async () => {
    await failSome(2);
    await emitEvents(lane.context, [exampleEvent('badge.earned')]);
    await sendTestEvent(lane.context, { subscriptionId: lane.subscriptionId });
    await settleAll(SUCCEEDED);
    const value = async (filter: ReplayRequest) => (await previewReplay(lane.context, filter)).value;
    const both = { statuses: ['FAILED', 'SUCCEEDED', 'CANCELLED'] } as const;
    expect(await value(both)).toBe(3);
    expect(await value({ ...both, eventTypes: ['badge.earned'] })).toBe(1);
    expect(await value({ ...both, subscriptionId: lane.subscriptionId })).toBe(3);
    expect(await value({ statuses: ['CANCELLED'] })).toBe(0);
    expect(await value({ ...both, until: new Date(0) })).toBe(0);
    expect(await value({ ...both, since: world.clock.now() })).toBe(0);
    await deleteSubscription(lane.context, lane.subscriptionId);
    expect(await value(both)).toBe(0);
  });

  it('is no faster than it may be, and stands back while a thousand of it have not ended', async () => {
    await failSome(9);
    const replay = await start({ statuses: ['FAILED'], ratePerSecond: 4 });
    const replayed = async () => (await getReplay(lane.context, replay.id)).replayed;
    await runReplays(options());
    expect(await replayed()).toBe(2);
    await runReplays(options());
    expect(await replayed()).toBe(2);
    world.clock.advance(500);
    await runReplays(options());
    expect(await replayed()).toBe(4);

    await world.query(
      `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, replay_id)
       SELECT $1, optio.uuid_v7(), $2, $2, 'task.completed', 'HELD', $3 FROM generate_series(5, 1000)`,
      [lane.organizationId, lane.subscriptionId, replay.id],
    );
    await runAll();
    expect(await replayed()).toBe(4);
    await world.query("DELETE FROM deliveries WHERE replay_id = $1 AND status = 'HELD'", [replay.id]);
    await runAll();
    expect(await getReplay(lane.context, replay.id)).toMatchObject({ replayed: 9, state: 'COMPLETED' });
  });

  it('cancelled: nothing more is replayed, what waits of it is cancelled, and it stays so', async () => {
    await failSome(5);
    const replay = await start({ statuses: ['FAILED'], ratePerSecond: 4 });
    await runReplays(options());
    const cancelled = await cancelReplay(lane.context, replay.id);
    expect(cancelled).toMatchObject({ state: 'CANCELLED', replayed: 2, endedAt: world.clock.now() });
    await runAll();
    expect((await deliveriesOf(replay.id)).map(({ status }) => status)).toEqual(['CANCELLED', 'CANCELLED']);
    expect(await lane.claim()).toEqual([]);
    expect(await cancelReplay(lane.context, replay.id)).toEqual(cancelled);

    const completed = await start({ statuses: ['FAILED'] });
    await runAll();
    const [first] = await lane.claim();
    if (first !== undefined) await lane.settle(lane.attemptOf(first, SUCCEEDED));
    expect(await cancelReplay(lane.context, completed.id)).toMatchObject({ state: 'CANCELLED', replayed: 3 });
    expect((await deliveriesOf(completed.id)).map(({ status }) => status).toSorted()).toEqual([
      'CANCELLED',
      'CANCELLED',
      'SUCCEEDED',
    ]);
  });

  it('of which everything has ended stays as it is when it is cancelled', async () => {
    await failSome(1);
    const replay = await start({ statuses: ['FAILED'] });
    await runAll();
    await settleAll();
    const completed = await getReplay(lane.context, replay.id);
    expect(completed).toMatchObject({ state: 'COMPLETED' });
    expect(await cancelReplay(lane.context, replay.id)).toEqual(completed);
  });

  it('doubles nothing and forgets nothing when workers die in the middle, or several are at it at once', async () => {
    const failed = await failSome(20);
    const replay = await start({ statuses: ['FAILED'], ratePerSecond: 10 });
    const job = { organizationId: lane.organizationId, replayId: replay.id };
    for (let round = 0; round < 8; round++) {
      // A worker that is cut off before its piece is committed.
      const broken = Object.create(world.workerPool, {
        connect: {
          value: async () => {
            const client = await world.workerPool.connect();
            const query = client.query.bind(client);
            return Object.assign(Object.create(client), {
              query: (statement: string, values?: unknown[]) =>
                statement === 'COMMIT' ? Promise.reject(new Error('killed')) : query(statement, values),
              release: () => client.release(true),
            });
          },
        },
      });
      await expect(runPiece({ ...options(), pool: broken }, job)).rejects.toThrow('killed');
      await Promise.all(Array.from({ length: 4 }, () => runPiece(options(), job)));
      world.clock.advance(500);
    }
    expect(await getReplay(lane.context, replay.id)).toMatchObject({ state: 'COMPLETED', replayed: 20 });
    const made = (await deliveriesOf(replay.id)).map(({ replayOfId }) => replayOfId);
    expect(made).toHaveLength(20);
    expect(new Set(made)).toEqual(new Set(failed.map(({ id }) => id)));
  });

  it('is taken up again though the process died that was to queue it, by whichever worker looks', async () => {
    await failSome(1);
    const replay = await start({ statuses: ['FAILED'] });
    // Taken by a worker that is gone: its job is given to another when its heartbeat ends; the row says what is left.
    await world.jobs.replays.enqueue([{ organizationId: lane.organizationId, replayId: replay.id }]);
    const [lease] = await world.jobs.replays.take(1);
    await runReplays(options());
    if (lease !== undefined) await world.jobs.replays.complete([lease]);
    await runAll();
    expect(await getReplay(lane.context, replay.id)).toMatchObject({ state: 'COMPLETED', replayed: 1 });
    expect(await deliveriesOf(replay.id)).toHaveLength(1);
  });
});

describe('a replay of what a subscription missed', () => {
  it('sends it events from before it was there, which nobody wanted then (rule 4)', async () => {
    const organizationId = await world.createOrganization();
    const context = world.context(organizationId);
    await emitEvents(context, [exampleEvent('badge.earned'), exampleEvent('task.completed')]);
    const { subscription } = await createSubscription(context, {
      targetUrl: 'http://127.0.0.1:9999/',
      eventTypes: ['badge.earned'],
    });
    const filter = { missing: true, subscriptionId: subscription.id };
    expect(await previewReplay(context, filter)).toEqual({ value: 1, isExact: true });
    const { replay } = await startReplay(context, filter);
    await runAll();
    const made = (await listDeliveries(context, {}, { limit: 10 })).items;
    expect(made).toMatchObject([
      { replayId: replay.id, replayOfId: null, eventType: 'badge.earned', status: 'PENDING' },
    ]);
    // What it has it does not miss; other types only if they are asked for.
    expect(await previewReplay(context, filter)).toMatchObject({ value: 0 });
    expect(await previewReplay(context, { ...filter, eventTypes: ['task.completed'] })).toMatchObject({
      value: 1,
    });
  });

  it('is not about what was sent to others as a test (rule 4)', async () => {
    await sendTestEvent(lane.context, { subscriptionId: lane.subscriptionId, eventType: 'badge.earned' });
    const { subscription } = await createSubscription(lane.context, {
      targetUrl: 'http://127.0.0.1:9999/',
      eventTypes: ['*'],
    });
    expect(
      await previewReplay(lane.context, { missing: true, subscriptionId: subscription.id }),
    ).toMatchObject({
      value: 0,
    });
  });
});

describe('what can be asked of a replay', () => {
  it.each([
    [{}, 'statuses'],
    [{ statuses: ['PENDING'] }, 'statuses'],
    [{ missing: true }, 'subscription_id'],
    [{ statuses: ['FAILED'], eventTypes: ['x'] }, 'event_types'],
    [{ statuses: ['FAILED'], ratePerSecond: 0 }, 'rate_per_second'],
    [{ statuses: ['FAILED'], since: new Date(2), until: new Date(1) }, 'until'],
  ] as const)('refuses %j, naming %s', async (request, path) => {
    await expect(startReplay(lane.context, request)).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: expect.arrayContaining([expect.objectContaining({ path: [path] })]),
    });
  });

  it('shows, starts and ends nothing of another organization, and needs write:webhooks', async () => {
    await failSome(1);
    const replay = await start({ statuses: ['FAILED'] });
    const other = world.context(await world.createOrganization());
    await expect(getReplay(other, replay.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(cancelReplay(other, replay.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const foreign = { statuses: ['FAILED'], subscriptionId: lane.subscriptionId } as const;
    await expect(startReplay(other, foreign)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await previewReplay(other, { statuses: ['FAILED'] })).toMatchObject({ value: 0 });
    expect((await listReplays(other, { limit: 10 })).items).toEqual([]);
    const reader = world.context(lane.organizationId, { scopes: ['read:webhooks'] });
    await expect(startReplay(reader, { statuses: ['FAILED'] })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(previewReplay(reader, { statuses: ['FAILED'] })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect((await listReplays(reader, { limit: 10 })).items).toHaveLength(1);
    await cancelReplay(lane.context, replay.id);
  });

  it('with the same idempotency key it is started once', async () => {
    await failSome(1);
    const request = { statuses: ['FAILED'], idempotencyKey: 'once' } as const;
    const first = await startReplay(lane.context, request);
    expect(await startReplay(lane.context, request)).toEqual({ ...first, deduplicated: true });
    await cancelReplay(lane.context, first.replay.id);
  });
});
