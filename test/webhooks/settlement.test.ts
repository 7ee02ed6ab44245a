import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inTransaction } from '../../src/platform/database/pool.ts';
import { cancelDelivery, getDelivery, listAttempts, retryDelivery } from '../../src/webhooks/delivery.ts';
import { moveMisplaced } from '../../src/webhooks/mover.ts';
import type { Outcome } from '../../src/webhooks/outcome.ts';
import { rotateSecret } from '../../src/webhooks/secret-rotation.ts';
import { settleBatch } from '../../src/webhooks/settlement-sql.ts';
import { deleteSubscription, getSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
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

const now = () => world.clock.now();
const inOneMinute = () => new Date(now().getTime() + 60_000);
const retry = () => retryAt(inOneMinute());

const updatesOf = (id: string) =>
  world.query(
    'SELECT status, version, attempt_number FROM delivery_updates WHERE delivery_id = $1 ORDER BY version',
    [id],
  );

describe('the fence around a delivery (webhooks rules 12, 15)', () => {
  it('takes a result once: the same again changes nothing and is not recorded twice', async () => {
    const delivery = await lane.claimOne();
    expect(await lane.settle(lane.attemptOf(delivery, retry()))).toEqual([delivery.id]);
    const settled = await getDelivery(lane.context, delivery.id);

    expect(await lane.settle(lane.attemptOf(delivery, retry()))).toEqual([]);
    expect(await lane.settle(lane.attemptOf(delivery, SUCCEEDED))).toEqual([]);
    expect(await getDelivery(lane.context, delivery.id)).toEqual(settled);
    expect(settled).toMatchObject({ status: 'RETRYING', attemptCount: 1, dueAt: inOneMinute() });
    expect(await listAttempts(lane.context, delivery.id)).toHaveLength(1);
    expect(await updatesOf(delivery.id)).toEqual([
      { status: 'PENDING', version: 1, attempt_number: 0 },
      { status: 'RETRYING', version: 2, attempt_number: 1 },
    ]);
  });

  it('refuses a result that skips an attempt', async () => {
    const delivery = await lane.claimOne();
    expect(await lane.settle(lane.attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED))).toEqual([]);
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'PENDING',
      attemptCount: 0,
    });
    expect(await listAttempts(lane.context, delivery.id)).toEqual([]);
  });

  it('ignores the first attempt of a frozen worker after the second one of another was settled', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, retry()));
    await lane.settle(lane.attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED));
    expect(await lane.settle(lane.attemptOf(delivery, FAILED))).toEqual([]);
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'SUCCEEDED',
      attemptCount: 2,
    });
  });

  it('lets two workers settle the same attempt at the same time only once', async () => {
    const delivery = await lane.claimOne();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => lane.settle(lane.attemptOf(delivery, SUCCEEDED))),
    );
    expect(answers.flat()).toEqual([delivery.id]);
    expect(await listAttempts(lane.context, delivery.id)).toHaveLength(1);
  });

  it('settles the rest of a batch in which one result is stale', async () => {
    const [stale, fresh] = await lane.emitAndClaim(2);
    if (stale === undefined || fresh === undefined) throw new Error('Expected two deliveries.');
    await lane.settle(lane.attemptOf(stale, SUCCEEDED));
    expect(await lane.settle(lane.attemptOf(stale, FAILED), lane.attemptOf(fresh, FAILED))).toEqual([
      fresh.id,
    ]);
    const [health] = await world.query(
      'SELECT consecutive_failures FROM webhook_subscription_health WHERE subscription_id = $1',
      [lane.subscriptionId],
    );
    expect(health).toEqual({ consecutive_failures: 1 });
  });

  it('a lane that was lost costs no attempt: whoever takes it over claims the same, as it was (webhooks rule 12)', async () => {
    const before = await lane.emitAndClaim(2);
    expect(await lane.claim()).toEqual(before);
    const [delivery] = before;
    if (delivery === undefined) throw new Error('Expected two deliveries.');
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'PENDING',
      attemptCount: 0,
    });
    await lane.settle(lane.attemptOf(delivery, retry()));
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'RETRYING',
      attemptCount: 1,
    });
  });

  it('does not settle under the key of another organization', async () => {
    const delivery = await lane.claimOne();
    const other = await world.createOrganization();
    expect(await lane.settle(lane.attemptOf({ ...delivery, organizationId: other }, SUCCEEDED))).toEqual([]);
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('what happened to a delivery while its attempt was under way (webhooks rules 12, 12a)', () => {
  it('held meanwhile: it stays held after a failure, is not due, and the attempt counts', async () => {
    const delivery = await lane.claimOne();
    await updateSubscription(lane.context, lane.subscriptionId, { active: false });
    await lane.settle(lane.attemptOf(delivery, retry()));
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'HELD',
      attemptCount: 1,
      dueAt: null,
      completedAt: null,
    });
  });

  it('held meanwhile: it has succeeded if the receiver took it', async () => {
    const delivery = await lane.claimOne();
    await updateSubscription(lane.context, lane.subscriptionId, { active: false });
    await lane.settle(lane.attemptOf(delivery, SUCCEEDED));
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'SUCCEEDED',
      completedAt: now(),
    });
  });

  it('cancelled meanwhile: it stays cancelled, at the time it was, and is not tried again', async () => {
    const delivery = await lane.claimOne();
    const { completedAt } = await cancelDelivery(lane.context, delivery.id);
    world.clock.advance(1_000);
    for (const [attemptCount, outcome] of [retry(), FAILED].entries()) {
      await lane.settle(lane.attemptOf({ ...delivery, attemptCount }, outcome));
      expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
        status: 'CANCELLED',
        dueAt: null,
        completedAt,
        attemptCount: attemptCount + 1,
      });
    }
    expect(await lane.claim()).toEqual([]);
  });

  it('cancelled with its subscription: it has succeeded all the same if the receiver took it', async () => {
    const delivery = await lane.claimOne();
    await deleteSubscription(lane.context, lane.subscriptionId);
    await lane.settle(lane.attemptOf(delivery, SUCCEEDED));
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'SUCCEEDED',
      lastError: null,
    });
  });

  it('asked for again meanwhile: the attempt under way is the one that was asked for', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, FAILED));
    await retryDelivery(lane.context, delivery.id);
    const [again] = await lane.claim();
    expect(again).toMatchObject({ id: delivery.id, attemptCount: 1, scheduleStart: 1 });
    await retryDelivery(lane.context, delivery.id);
    await lane.settle(lane.attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED));
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({
      status: 'SUCCEEDED',
      attemptCount: 2,
    });
    expect(await lane.claim()).toEqual([]);
  });

  it('a refusal for good disables the subscription once; what waits is not claimed any more, and held (webhooks rule 8)', async () => {
    const [first, second, third] = await lane.emitAndClaim(3);
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('Expected three.');
    const gone: Outcome = { ...FAILED, kind: 'failed', disableSubscription: 'It answered 410 Gone.' };
    await lane.settle(lane.attemptOf(first, gone), lane.attemptOf(second, gone));
    expect(await getSubscription(lane.context, lane.subscriptionId)).toMatchObject({
      status: 'DISABLED',
      disabledReason: 'It answered 410 Gone.',
      version: 2,
    });
    expect(await lane.claim()).toEqual([]);
    await moveMisplaced({ ...world, pool: world.workerPool, onError: (error) => expect.fail(error.message) });
    expect(await getDelivery(lane.context, third.id)).toMatchObject({ status: 'HELD' });
  });
});

describe('sending again', () => {
  it('is refused when the event is past its retention: there is nothing left to send', async () => {
    const delivery = await lane.claimOne();
    await lane.settle(lane.attemptOf(delivery, SUCCEEDED));
    await world.query('DELETE FROM events WHERE id = $1', [delivery.eventId]);
    await expect(retryDelivery(lane.context, delivery.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await getDelivery(lane.context, delivery.id)).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('a change of the subscription beside an open settlement', () => {
  it.each([
    ['pause', () => updateSubscription(lane.context, lane.subscriptionId, { active: false })],
    ['rotate its secret', () => rotateSecret(lane.context, lane.subscriptionId)],
    ['delete', () => deleteSubscription(lane.context, lane.subscriptionId)],
  ])(
    'to %s waits for nothing the settlement holds, so that neither can wait for the other',
    async (_, change) => {
      const first = await lane.claimOne();
      await inTransaction(world.workerPool, async (client) => {
        await settleBatch(client, [lane.attemptOf(first, FAILED)], now());
        await change();
      });
      expect(await getDelivery(lane.context, first.id)).toMatchObject({ status: 'FAILED', attemptCount: 1 });
    },
  );
});
