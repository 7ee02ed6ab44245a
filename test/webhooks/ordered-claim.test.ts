import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { cancelDelivery, retryDelivery } from '../../src/webhooks/delivery.ts';
import { type ClaimedDelivery, claimDue, KEYS_AT_ONCE } from '../../src/webhooks/lane-sql.ts';
import { LOWEST_KEY } from '../../src/webhooks/lane-walk.ts';
import { moveMisplaced } from '../../src/webhooks/mover.ts';
import { updateSubscription } from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { costOf } from '../support/explain.ts';
import { FAILED, openStillLane, retryAt, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

// No worker runs: a claim shows whose turn it is, and what came of an attempt is made up.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  lane = await openStillLane(world);
  await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: 'data.user_id' });
});

const { type, data } = exampleEvent();
const eventOf = (user: unknown, title: string) => ({
  type,
  data: { ...data, user_id: user, task_title: title },
});
/** Events as `user title`, in one batch. */
const emit = (...events: string[]) =>
  emitEvents(
    lane.context,
    events.map((event) => eventOf(event.split(' ')[0], event)),
  );

const titleOf = ({ body }: ClaimedDelivery): string => JSON.parse(body ?? '').data.task_title;
const turns = async (): Promise<string[]> => (await lane.claim()).map(titleOf).toSorted();
/** Ends the turn of the delivery with this title. */
async function settle(title: string, outcome = SUCCEEDED): Promise<ClaimedDelivery> {
  const found = (await lane.claim()).find((delivery) => titleOf(delivery) === title);
  if (found === undefined) throw new Error(`It is not the turn of ${title}.`);
  await lane.settle(lane.attemptOf(found, outcome));
  return found;
}
const inOneMinute = () => retryAt(new Date(world.clock.now().getTime() + 60_000));

describe('a delivery has its turn (webhooks rule 20)', () => {
  it('when all before it with its key have ended, in the order of the events', async () => {
    await emit('ada 1', 'lin 1', 'ada 2', 'ada 3', 'lin 2');
    expect(await turns()).toEqual(['ada 1', 'lin 1']);
    await settle('ada 1');
    expect(await turns()).toEqual(['ada 2', 'lin 1']);
    await settle('lin 1');
    await settle('ada 2');
    expect(await turns()).toEqual(['ada 3', 'lin 2']);
  });

  it('in the order of a batch of 1,000, and of what is emitted after it', async () => {
    await emit(...Array.from({ length: 1_000 }, (_, index) => `u${index % 2} ${index}`));
    await emit('u0 1000', 'u1 1001');
    const rows = await world.query(
      `SELECT e.body::json #>> '{data,task_title}' AS title FROM deliveries d JOIN events e ON e.id = d.event_id
       WHERE d.subscription_id = $1 ORDER BY d.ordering_position`,
      [lane.subscriptionId],
    );
    expect(rows.map(({ title }) => title)).toEqual(
      Array.from({ length: 1_002 }, (_, index) => `u${index % 2} ${index}`),
    );
    expect(await turns()).toEqual(['u0 0', 'u1 1']);
  });

  it('not while one before it waits for its retry: it parks its key, and no other', async () => {
    await emit('ada 1', 'ada 2', 'lin 1', 'lin 2');
    await settle('ada 1', inOneMinute());
    expect(await turns()).toEqual(['lin 1']);
    await settle('lin 1');
    expect(await turns()).toEqual(['lin 2']);
    world.clock.advance(60_000);
    expect(await turns()).toEqual(['ada 1', 'lin 2']);
    await settle('ada 1');
    expect(await turns()).toEqual(['ada 2', 'lin 2']);
  });

  it('when the one before it has failed for good, or was cancelled', async () => {
    await emit('ada 1', 'ada 2', 'ada 3');
    await settle('ada 1', FAILED);
    const [second] = await lane.claim();
    await cancelDelivery(lane.context, second?.id ?? '');
    expect(await turns()).toEqual(['ada 3']);
  });

  it('before what waits, if it is asked for again: it keeps its place', async () => {
    await emit('ada 1', 'ada 2', 'ada 3');
    const { id } = await settle('ada 1', FAILED);
    await settle('ada 2');
    await retryDelivery(lane.context, id);
    expect(await turns()).toEqual(['ada 1']);
    await settle('ada 1');
    expect(await turns()).toEqual(['ada 3']);
  });

  it('after what is held: a pause does not change the order', async () => {
    await emit('ada 1');
    await updateSubscription(lane.context, lane.subscriptionId, { active: false });
    await emit('ada 2');
    expect(await turns()).toEqual([]);
    // As while the first of many pieces is released: the first one is still held, and a later one is due.
    await world.query("UPDATE webhook_subscriptions SET status = 'ACTIVE' WHERE id = $1", [
      lane.subscriptionId,
    ]);
    await emit('ada 3');
    expect(await turns()).toEqual([]);
    await moveMisplaced({ ...world, pool: world.workerPool, onError: (error) => expect.fail(error.message) });
    expect(await turns()).toEqual(['ada 1']);
  });

  it('at once, if its event has no value there: it waits for nobody', async () => {
    await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: 'data.course.id' });
    const inCourse = (id: unknown, title: string) => ({
      type,
      data: { ...data, task_title: title, course: { id } },
    });
    await emitEvents(lane.context, [
      inCourse(7, 'a'),
      inCourse(7, 'b'),
      inCourse(null, 'c'),
      inCourse(null, 'd'),
      { type, data: { ...data, task_title: 'e' } },
    ]);
    expect(await turns()).toEqual(['a', 'c', 'd', 'e']);
  });

  it('with a key of letters that PostgreSQL has no text for, wherever in the event they are', async () => {
    const odd = ['\0', '\ud800', '\\u0000'];
    await emitEvents(
      lane.context,
      odd.flatMap((text) => [
        eventOf(`x${text}`, `${text}1`),
        eventOf(`x${text}`, `${text}2`),
        eventOf('ada', text),
      ]),
    );
    // NUL and half a pair are the same to it; the text of six letters is another one.
    expect(await turns()).toHaveLength(3);
  });

  it('if it was emitted before there was an order, or is a test', async () => {
    await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: null });
    await emit('ada 1', 'ada 2');
    await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: 'data.user_id' });
    await emit('ada 3', 'ada 4');
    await sendTestEvent(lane.context, { subscriptionId: lane.subscriptionId });
    expect(await lane.claim()).toHaveLength(4);
  });
});

describe('the walk over the keys (webhooks rule 20)', () => {
  const MANY = KEYS_AT_ONCE * 3;
  const claimFrom = async (fromKey?: bigint) => {
    const { organizationId, subscriptionId } = lane;
    const [claim] = await claimDue(
      world.claimPool,
      [{ organizationId, subscriptionId, limit: 20, fromKey: fromKey ?? LOWEST_KEY }],
      [],
      world.clock.now(),
    );
    if (claim === undefined) throw new Error('Expected the lane.');
    return claim;
  };

  it('finds the one whose turn it is among many that wait for their retries, a bounded number of keys at a time', async () => {
    await emit(...Array.from({ length: MANY }, (_, index) => `u${index} 1`));
    await world.query(
      "UPDATE deliveries SET status = 'RETRYING', attempt_count = 1, due_at = $2 WHERE subscription_id = $1",
      [lane.subscriptionId, new Date(world.clock.now().getTime() + 60_000)],
    );
    await emit(...Array.from({ length: MANY }, (_, index) => `u${index} 2`), 'ada 1');
    await world.query('ANALYZE deliveries');
    const found: string[] = [];
    let claims = 0;
    for (let fromKey: bigint | undefined = undefined; claims === 0 || fromKey !== undefined; claims++) {
      const claim = await claimFrom(fromKey);
      found.push(...claim.deliveries.map(titleOf));
      fromKey = claim.walkedTo === undefined ? undefined : claim.walkedTo + 1n;
    }
    expect(found).toEqual(['ada 1']);
    expect(claims).toBe(Math.floor((MANY + 1) / KEYS_AT_ONCE) + 1);
    const { organizationId, subscriptionId } = lane;
    const { rowsRead } = await costOf(world.claimPool, 'deliveries', (pool) =>
      claimDue(
        pool,
        [{ organizationId, subscriptionId, limit: 20, fromKey: LOWEST_KEY }],
        [],
        world.clock.now(),
      ),
    );
    // The keys, and the hundred among which those without a key would be.
    expect(rowsRead).toBeLessThanOrEqual(KEYS_AT_ONCE + 200);
  });

  it('is asked for as such: who does not know that the lane is in order, or no longer is, finds nothing but its version', async () => {
    await emit('ada 1', 'ada 2');
    const { organizationId, subscriptionId } = lane;
    const request = { organizationId, subscriptionId, limit: 20 };
    const claim = async (fromKey?: bigint) => {
      const [found] = await claimDue(world.claimPool, [{ ...request, fromKey }], [], world.clock.now());
      return { version: found?.version, titles: found?.deliveries.map(titleOf) };
    };
    expect(await claim()).toEqual({ version: 2, titles: [] });
    expect(await claim(LOWEST_KEY)).toEqual({ version: 2, titles: ['ada 1'] });
    await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: null });
    expect(await claim(LOWEST_KEY)).toEqual({ version: 3, titles: [] });
    expect(await claim()).toEqual({ version: 3, titles: ['ada 1', 'ada 2'] });
  });

  it('ends with the limit, and goes on behind it', async () => {
    await emit(...Array.from({ length: 50 }, (_, index) => `u${index} 1`));
    const first = await claimFrom();
    expect(first.deliveries).toHaveLength(20);
    const second = await claimFrom((first.walkedTo ?? 0n) + 1n);
    const third = await claimFrom((second.walkedTo ?? 0n) + 1n);
    expect([second.deliveries.length, third.deliveries.length, third.walkedTo]).toEqual([20, 10, undefined]);
    const titles = [first, second, third].flatMap(({ deliveries }) => deliveries.map(titleOf));
    expect(new Set(titles).size).toBe(50);
  });
});
