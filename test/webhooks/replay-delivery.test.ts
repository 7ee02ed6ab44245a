import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cancelDelivery, getDelivery, listDeliveries, retryDelivery } from '../../src/webhooks/delivery.ts';
import { replayDelivery } from '../../src/webhooks/replay-delivery.ts';
import { deleteSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { FAILED, openStillLane, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let lane: StillLane;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  lane = await openStillLane(world);
});

const allDeliveries = async () => (await listDeliveries(lane.context, {}, { limit: 100 })).items;

async function failSome(count: number) {
  const claimed = await lane.emitAndClaim(count);
  await lane.settle(...claimed.map((delivery) => lane.attemptOf(delivery, FAILED)));
  return claimed;
}

describe('a replay of one delivery', () => {
  it('is a new delivery of the same event, under an id of its own, that names the first (rule 24)', async () => {
    const [delivery] = await failSome(1);
    const { delivery: replayed } = await replayDelivery(lane.context, { id: delivery?.id ?? '' });
    expect(replayed).toMatchObject({
      replayOfId: delivery?.id,
      status: 'PENDING',
      attemptCount: 0,
      subscriptionId: lane.subscriptionId,
      eventType: 'task.completed',
    });
    expect(replayed.id).not.toBe(delivery?.id);
    const original = await getDelivery(lane.context, delivery?.id ?? '');
    expect(original).toMatchObject({ status: 'FAILED', eventId: replayed.eventId });
    expect((await lane.claim()).map(({ id, body }) => [id, body])).toEqual([[replayed.id, delivery?.body]]);
  });

  it('with the same idempotency key it is made once (rule 24)', async () => {
    const [delivery] = await failSome(1);
    const request = { id: delivery?.id ?? '', idempotencyKey: 'again' };
    const first = await replayDelivery(lane.context, request);
    expect(await replayDelivery(lane.context, request)).toEqual({ ...first, deduplicated: true });
    expect(await allDeliveries()).toHaveLength(2);
  });

  it('stands in the order of its key where its subscription has one, behind what was emitted before (rule 20)', async () => {
    const [delivery] = await failSome(1);
    await updateSubscription(lane.context, lane.subscriptionId, { orderedBy: 'data.user_id' });
    await lane.emitAndClaim(1);
    const { delivery: replayed } = await replayDelivery(lane.context, { id: delivery?.id ?? '' });
    const rows = await world.query(
      'SELECT id, ordering_key FROM deliveries WHERE organization_id = $1 AND ordering_key IS NOT NULL ORDER BY ordering_position',
      [lane.organizationId],
    );
    expect(rows).toHaveLength(2);
    expect(rows[1]).toEqual({ id: replayed.id, ordering_key: rows[0]?.['ordering_key'] });
  });

  it('is held while its subscription is paused, and refused when there is nothing to send (rule 24)', async () => {
    const [delivery] = await failSome(1);
    const id = delivery?.id ?? '';
    await updateSubscription(lane.context, lane.subscriptionId, { active: false });
    expect((await replayDelivery(lane.context, { id })).delivery).toMatchObject({
      status: 'HELD',
      dueAt: null,
    });
    await world.query('UPDATE events SET body = NULL WHERE organization_id = $1', [lane.organizationId]);
    await expect(replayDelivery(lane.context, { id })).rejects.toMatchObject({ code: 'CONFLICT' });
    await deleteSubscription(lane.context, lane.subscriptionId);
    await expect(replayDelivery(lane.context, { id })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is refused for one that has not ended, and for one of another organization (rule 24)', async () => {
    const delivery = await lane.claimOne();
    const { id } = delivery;
    await expect(replayDelivery(lane.context, { id })).rejects.toMatchObject({ code: 'CONFLICT' });
    await lane.settle(lane.attemptOf(delivery, SUCCEEDED));
    const other = world.context(await world.createOrganization());
    await expect(replayDelivery(other, { id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await allDeliveries()).toHaveLength(1);
  });
});

describe('a retry', () => {
  it('is for what has not succeeded: a success is replayed, under another id', async () => {
    const delivery = await lane.claimOne();
    world.clock.advance(60_000);
    expect(await retryDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'PENDING',
      dueAt: world.clock.now(),
    });
    await cancelDelivery(lane.context, delivery.id);
    expect(await retryDelivery(lane.context, delivery.id)).toMatchObject({ status: 'PENDING' });
    await lane.settle(lane.attemptOf(delivery, SUCCEEDED));
    await expect(retryDelivery(lane.context, delivery.id)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('replay'),
    });
  });
});
