import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import type { ClaimedDelivery } from '../../src/webhooks/lane-sql.ts';
import { getReplay, startReplay } from '../../src/webhooks/replay.ts';
import { runReplays } from '../../src/webhooks/replay-job.ts';
import { updateSubscription } from '../../src/webhooks/subscription.ts';
import { FAILED, openStillLane, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

// No worker runs: a claim shows whose turn it is.
beforeAll(async () => {
  world = await openWorld();
  // Ids are of the real time, and what is replayed was made before now.
  world.clock.advance(3_600_000);
});
afterAll(() => world.close());
beforeEach(async () => {
  lane = await openStillLane(world);
  await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: 'data.user_id' });
});

const { type, data } = exampleEvent();
const emit = (...titles: string[]) =>
  emitEvents(
    lane.context,
    titles.map((title) => ({ type, data: { ...data, user_id: title.split(' ')[0], task_title: title } })),
  );
const titleOf = ({ body }: ClaimedDelivery): string => JSON.parse(body ?? '').data.task_title;

/** Ends all that have their turn so, round by round, until nothing waits; answers the titles of each round. */
async function rounds(outcome: typeof FAILED | typeof SUCCEEDED): Promise<string[][]> {
  const titles: string[][] = [];
  for (let round = 0; round < 10; round++) {
    const claimed = await lane.claim();
    if (claimed.length === 0) return titles;
    titles.push(claimed.map(titleOf).toSorted());
    await lane.settle(...claimed.map((delivery) => lane.attemptOf(delivery, outcome)));
  }
  return titles;
}

const keys = (made: 'IS NULL' | 'IS NOT NULL') =>
  world.query(
    `SELECT event_id, ordering_key FROM deliveries WHERE organization_id = $1 AND replay_id ${made} ORDER BY event_id`,
    [lane.organizationId],
  );

async function replayFailed(ratePerSecond: number): Promise<void> {
  const { replay } = await startReplay(lane.context, { statuses: ['FAILED'], ratePerSecond });
  for (let piece = 0; piece < 20; piece++) {
    await runReplays({
      ...world,
      pool: world.workerPool,
      onError: (error: Error) => expect.fail(error.message),
    });
    world.clock.advance(1_000);
  }
  expect(await getReplay(lane.context, replay.id)).toMatchObject({ state: 'COMPLETED' });
}

describe('a replay of many to an ordered subscription (webhooks rule 20)', () => {
  it.each([
    ['one piece', 1_000],
    ['many pieces', 1],
  ])('keeps each event’s key, and the order of the events: made in %s (rule 20)', async (_pieces, rate) => {
    const inOrder = [['ada 1', 'lin 1'], ['ada 2', 'lin 2'], ['ada 3']];
    await emit('ada 1', 'lin 1', 'ada 2');
    await emit('ada 3', 'lin 2');
    expect(await rounds(FAILED)).toEqual(inOrder);
    await replayFailed(rate);
    const first = await keys('IS NULL');
    expect(await keys('IS NOT NULL')).toEqual(first);
    expect(new Set(first.map((row) => row['ordering_key'])).size).toBe(2);
    expect(await rounds(SUCCEEDED)).toEqual(inOrder);
  });

  it('puts what it makes behind what waits with the same key (rule 20)', async () => {
    await emit('ada 1');
    await rounds(FAILED);
    await emit('ada 2', 'lin 1');
    await replayFailed(1_000);
    expect(await rounds(SUCCEEDED)).toEqual([['ada 2', 'lin 1'], ['ada 1']]);
  });
});
