import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getDelivery, listAttempts } from '../../src/webhooks/delivery.ts';
import { createSettlement } from '../../src/webhooks/settlement.ts';
import { getSubscription } from '../../src/webhooks/subscription.ts';
import { FAILED, openStillLane, retryAt, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
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

describe('settlement', () => {
  it('tries again until the database takes a batch, and forgets nothing of it (webhooks rule 12)', async () => {
    const deliveries = await lane.emitAndClaim(3);
    const errors: Error[] = [];
    const rings: string[] = [];
    let tries = 0;
    await world.query('REVOKE UPDATE ON deliveries FROM optio_worker');
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: { ring: (bell) => void rings.push(bell) },
      onError: (error) => void errors.push(error),
      pause: async () => {
        if (++tries === 3) await world.query('GRANT UPDATE ON deliveries TO optio_worker');
      },
    });
    await Promise.all(deliveries.map((delivery) => settlement.add(lane.attemptOf(delivery, SUCCEEDED))));
    expect(tries).toBe(3);
    expect(errors.map(({ message }) => message)).toEqual(
      Array.from({ length: 3 }, () => expect.stringContaining('permission denied')),
    );
    expect(rings).toEqual(['updates']);
    expect(settlement.backlog()).toBe(0);
    for (const { id } of deliveries) {
      expect(await getDelivery(lane.context, id)).toMatchObject({ status: 'SUCCEEDED', attemptCount: 1 });
    }
  });

  it('writes the others when one result is refused for what it holds', async () => {
    const [first, second] = await lane.emitAndClaim(2);
    if (first === undefined || second === undefined) throw new Error('Expected two deliveries.');
    const errors: Error[] = [];
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: { ring: () => undefined },
      onError: (error) => void errors.push(error),
      pause: () => Promise.resolve(),
    });
    const refused = { ...first, id: 'not-a-uuid' };
    await Promise.all(
      [refused, second].map((delivery) => settlement.add(lane.attemptOf(delivery, SUCCEEDED))),
    );
    expect(await getDelivery(lane.context, second.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await getDelivery(lane.context, first.id)).toMatchObject({ status: 'PENDING' });
    expect(errors).toHaveLength(2);
  });

  it('counts the first of two results of one attempt', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, SUCCEEDED), lane.attemptOf(delivery, SUCCEEDED));
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'SUCCEEDED',
      attemptCount: 1,
    });
  });

  it('tells of the attempts that it recorded, not of what came late', async () => {
    const [stale, fresh] = await lane.emitAndClaim(2);
    if (stale === undefined || fresh === undefined) throw new Error('Expected two deliveries.');
    await lane.settle(lane.attemptOf(stale, retryAt(world.clock.now())));
    const observed: string[] = [];
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: world.doorbell,
      onError: (error) => expect.fail(error.message),
      pause: () => Promise.resolve(),
      observe: (batch) => observed.push(...batch.map(({ delivery }) => delivery.id)),
    });
    await Promise.all([stale, fresh].map((delivery) => settlement.add(lane.attemptOf(delivery, SUCCEEDED))));
    expect(observed).toEqual([fresh.id]);
  });

  it('takes back what it wrote of a batch that fails in the middle: all of it, or nothing (webhooks rule 12)', async () => {
    const delivery = await lane.claimOne();
    const state = async () => ({
      delivery: await getDelivery(lane.context, delivery.id),
      attempts: (await listAttempts(lane.context, delivery.id)).length,
      subscription: (await getSubscription(lane.context, lane.subscriptionId)).status,
      updates: (await world.query('SELECT FROM delivery_updates WHERE delivery_id = $1', [delivery.id]))
        .length,
    });
    const before = await state();
    const meanwhile: unknown[] = [];
    // Comes after the results are written, and the subscription is disabled.
    await world.query('REVOKE INSERT ON audit_entries FROM optio_worker');
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: { ring: () => undefined },
      onError: (error) => expect(error.message).toContain('permission denied for table audit_entries'),
      pause: async () => {
        meanwhile.push(await state());
        await world.query('GRANT INSERT ON audit_entries TO optio_worker');
      },
    });
    await settlement.add(
      lane.attemptOf(delivery, { ...FAILED, disableSubscription: 'It answered 410 Gone.' }),
    );
    expect(meanwhile).toEqual([before]);
    expect(await state()).toMatchObject({
      delivery: { status: 'FAILED', attemptCount: 1 },
      attempts: 1,
      subscription: 'DISABLED',
      updates: 2,
    });
  });

  it('drains: what was added is written when it resolves, more than one batch of it', async () => {
    const deliveries = await lane.emitAndClaim(600);
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: world.doorbell,
      onError: (error) => expect.fail(error.message),
      pause: () => Promise.resolve(),
    });
    for (const delivery of deliveries) void settlement.add(lane.attemptOf(delivery, SUCCEEDED));
    expect(settlement.backlog()).toBe(600);
    await settlement.drain();
    const [row] = await world.query(
      "SELECT count(*)::int AS count FROM deliveries WHERE subscription_id = $1 AND status = 'SUCCEEDED'",
      [lane.subscriptionId],
    );
    expect(row).toEqual({ count: 600 });
  });
});
