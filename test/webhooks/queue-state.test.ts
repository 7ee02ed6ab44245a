import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { readQueueState } from '../../src/webhooks/queue-state.ts';
import { updateSubscription } from '../../src/webhooks/subscription.ts';
import { openStillLane, retryAt, type StillLane } from '../support/made-up-attempts.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

// No worker runs: what is due stays so.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.query('DELETE FROM deliveries');
  lane = await openStillLane(world);
});

const { type, data } = exampleEvent();
const emit = (...users: string[]) =>
  emitEvents(
    lane.context,
    users.map((user) => ({ type, data: { ...data, user_id: user } })),
  );
const state = () => readQueueState(world.workerPool, world.clock.now());

/** Whoever has its turn fails, and is tried again in an hour. */
async function failAll(): Promise<void> {
  const later = retryAt(new Date(world.clock.now().getTime() + 3_600_000));
  const claimed = await lane.claim();
  await lane.settle(...claimed.map((delivery) => lane.attemptOf(delivery, later)));
}

describe('the age of what is due', () => {
  it('is that of the oldest delivery that nobody sends', async () => {
    expect(await state()).toEqual({ lanes: 0, oldestDueSeconds: 0 });
    await emit('ada');
    world.clock.advance(120_000);
    expect(await state()).toEqual({ lanes: 1, oldestDueSeconds: expect.closeTo(120, -1) });
  });

  describe('in an ordered subscription', () => {
    beforeEach(async () => {
      await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: 'data.user_id' });
    });

    it('does not grow with what is parked behind a failing delivery of its key (rule 20)', async () => {
      await emit('ada', 'ada', 'lin', 'lin');
      await failAll();
      world.clock.advance(120_000);
      expect(await state()).toEqual({ lanes: 1, oldestDueSeconds: 0 });
    });

    it('grows with that whose turn it is, behind whatever is parked (rule 20)', async () => {
      await emit('ada', 'ada');
      await failAll();
      await emit('lin');
      world.clock.advance(120_000);
      expect(await state()).toEqual({ lanes: 1, oldestDueSeconds: expect.closeTo(120, -1) });
    });
  });
});
