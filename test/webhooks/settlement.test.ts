import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { inTransaction } from '../../src/platform/database/pool.ts';
import type { Settled } from '../../src/webhooks/attempt.ts';
import { cancelDelivery, getDelivery, listAttempts, retryDelivery } from '../../src/webhooks/delivery.ts';
import { type ClaimedDelivery, claimDue } from '../../src/webhooks/lane-sql.ts';
import { moveMisplaced } from '../../src/webhooks/mover.ts';
import type { Outcome } from '../../src/webhooks/outcome.ts';
import { createSettlement } from '../../src/webhooks/settlement.ts';
import { settleBatch } from '../../src/webhooks/settlement-sql.ts';
import {
  createSubscription,
  deleteSubscription,
  getSubscription,
  rotateSecret,
  updateSubscription,
} from '../../src/webhooks/subscription.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let organizationId: string;
let subscriptionId: string;

// No worker runs: the attempts are made up, and the database decides which of them count.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  organizationId = await world.createOrganization();
  const { subscription } = await createSubscription(context(), {
    targetUrl: 'http://127.0.0.1:9999/',
    eventTypes: ['*'],
  });
  subscriptionId = subscription.id;
});

const context = () => world.context(organizationId);
const now = () => world.clock.now();
const inOneMinute = () => new Date(now().getTime() + 60_000);

/** Emits, and reads what a worker would read before it sends. */
async function emitAndClaim(count = 1): Promise<readonly ClaimedDelivery[]> {
  await emitEvents(
    context(),
    Array.from({ length: count }, () => exampleEvent()),
  );
  return claim();
}

async function claim(): Promise<readonly ClaimedDelivery[]> {
  const claims = await claimDue(
    world.workerPool,
    [{ organizationId, subscriptionId, limit: 1_000 }],
    [],
    now(),
  );
  return claims.flatMap(({ deliveries }) => deliveries);
}

async function claimOne(): Promise<ClaimedDelivery> {
  const [delivery] = await emitAndClaim();
  if (delivery === undefined) throw new Error('Expected a delivery that is due.');
  return delivery;
}

const timing = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 2 };
const SUCCEEDED: Outcome = { kind: 'succeeded' };
const FAILED: Outcome = { kind: 'failed', error: 'The receiver answered 500.', errorKind: 'http_status' };
const retry = (): Outcome => ({
  kind: 'retry',
  dueAt: inOneMinute(),
  error: 'The receiver answered 500.',
  errorKind: 'http_status',
});

function attemptOf(delivery: ClaimedDelivery, outcome: Outcome): Settled {
  const status = outcome.kind === 'succeeded' ? 200 : 500;
  return {
    delivery,
    startedAt: now(),
    requestHeaders: [],
    result: { kind: 'response', status, headers: [], body: '', bodyTruncated: false, timing },
    outcome,
  };
}

function settle(...batch: readonly Settled[]): Promise<readonly string[]> {
  return inTransaction(world.workerPool, (client) => settleBatch(client, batch, now()));
}

const updatesOf = (id: string) =>
  world.query(
    'SELECT status, version, attempt_number FROM delivery_updates WHERE delivery_id = $1 ORDER BY version',
    [id],
  );

describe('the fence around a delivery (webhooks rules 12, 15)', () => {
  it('takes a result once: the same again changes nothing and is not recorded twice', async () => {
    const delivery = await claimOne();
    expect(await settle(attemptOf(delivery, retry()))).toEqual([delivery.id]);
    const settled = await getDelivery(context(), delivery.id);

    expect(await settle(attemptOf(delivery, retry()))).toEqual([]);
    expect(await settle(attemptOf(delivery, SUCCEEDED))).toEqual([]);
    expect(await getDelivery(context(), delivery.id)).toEqual(settled);
    expect(settled).toMatchObject({ status: 'RETRYING', attemptCount: 1, dueAt: inOneMinute() });
    expect(await listAttempts(context(), delivery.id)).toHaveLength(1);
    expect(await updatesOf(delivery.id)).toEqual([
      { status: 'PENDING', version: 1, attempt_number: 0 },
      { status: 'RETRYING', version: 2, attempt_number: 1 },
    ]);
  });

  it('refuses a result that skips an attempt', async () => {
    const delivery = await claimOne();
    expect(await settle(attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED))).toEqual([]);
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'PENDING', attemptCount: 0 });
    expect(await listAttempts(context(), delivery.id)).toEqual([]);
  });

  it('ignores the first attempt of a frozen worker after the second one of another was settled', async () => {
    const delivery = await claimOne();
    await settle(attemptOf(delivery, retry()));
    await settle(attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED));
    expect(await settle(attemptOf(delivery, FAILED))).toEqual([]);
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'SUCCEEDED', attemptCount: 2 });
  });

  it('lets two workers settle the same attempt at the same time only once', async () => {
    const delivery = await claimOne();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => settle(attemptOf(delivery, SUCCEEDED))),
    );
    expect(answers.flat()).toEqual([delivery.id]);
    expect(await listAttempts(context(), delivery.id)).toHaveLength(1);
  });

  it('settles the rest of a batch in which one result is stale', async () => {
    const [stale, fresh] = await emitAndClaim(2);
    if (stale === undefined || fresh === undefined) throw new Error('Expected two deliveries.');
    await settle(attemptOf(stale, SUCCEEDED));
    expect(await settle(attemptOf(stale, FAILED), attemptOf(fresh, FAILED))).toEqual([fresh.id]);
    const [health] = await world.query(
      'SELECT consecutive_failures FROM webhook_subscription_health WHERE subscription_id = $1',
      [subscriptionId],
    );
    expect(health).toEqual({ consecutive_failures: 1 });
  });

  it('does not settle under the key of another organization', async () => {
    const delivery = await claimOne();
    const other = await world.createOrganization();
    expect(await settle(attemptOf({ ...delivery, organizationId: other }, SUCCEEDED))).toEqual([]);
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('what happened to a delivery while its attempt was under way (webhooks rules 12, 12a)', () => {
  it('held meanwhile: it stays held after a failure, is not due, and the attempt counts', async () => {
    const delivery = await claimOne();
    await updateSubscription(context(), subscriptionId, { active: false });
    await settle(attemptOf(delivery, retry()));
    expect(await getDelivery(context(), delivery.id)).toMatchObject({
      status: 'HELD',
      attemptCount: 1,
      dueAt: null,
      completedAt: null,
    });
  });

  it('held meanwhile: it has succeeded if the receiver took it', async () => {
    const delivery = await claimOne();
    await updateSubscription(context(), subscriptionId, { active: false });
    await settle(attemptOf(delivery, SUCCEEDED));
    expect(await getDelivery(context(), delivery.id)).toMatchObject({
      status: 'SUCCEEDED',
      completedAt: now(),
    });
  });

  it('cancelled meanwhile: it stays cancelled, at the time it was, and is not tried again', async () => {
    const delivery = await claimOne();
    const { completedAt } = await cancelDelivery(context(), delivery.id);
    world.clock.advance(1_000);
    for (const [attemptCount, outcome] of [retry(), FAILED].entries()) {
      await settle(attemptOf({ ...delivery, attemptCount }, outcome));
      expect(await getDelivery(context(), delivery.id)).toMatchObject({
        status: 'CANCELLED',
        dueAt: null,
        completedAt,
        attemptCount: attemptCount + 1,
      });
    }
    expect(await claim()).toEqual([]);
  });

  it('cancelled with its subscription: it has succeeded all the same if the receiver took it', async () => {
    const delivery = await claimOne();
    await deleteSubscription(context(), subscriptionId);
    await settle(attemptOf(delivery, SUCCEEDED));
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'SUCCEEDED', lastError: null });
  });

  it('asked for again meanwhile: the attempt under way is the one that was asked for', async () => {
    const delivery = await claimOne();
    await settle(attemptOf(delivery, FAILED));
    await retryDelivery(context(), delivery.id);
    const [again] = await claim();
    expect(again).toMatchObject({ id: delivery.id, attemptCount: 1, scheduleStart: 1 });
    await retryDelivery(context(), delivery.id);
    await settle(attemptOf({ ...delivery, attemptCount: 1 }, SUCCEEDED));
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'SUCCEEDED', attemptCount: 2 });
    expect(await claim()).toEqual([]);
  });

  it('a refusal for good disables the subscription once; what waits is not claimed any more, and held (webhooks rule 8)', async () => {
    const [first, second, third] = await emitAndClaim(3);
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('Expected three.');
    const gone: Outcome = { ...FAILED, kind: 'failed', disableSubscription: 'It answered 410 Gone.' };
    await settle(attemptOf(first, gone), attemptOf(second, gone));
    expect(await getSubscription(context(), subscriptionId)).toMatchObject({
      status: 'DISABLED',
      disabledReason: 'It answered 410 Gone.',
      version: 2,
    });
    expect(await claim()).toEqual([]);
    await moveMisplaced({ ...world, pool: world.workerPool, onError: (error) => expect.fail(error.message) });
    expect(await getDelivery(context(), third.id)).toMatchObject({ status: 'HELD' });
  });
});

describe('sending again', () => {
  it('is refused when the event is past its retention: there is nothing left to send', async () => {
    const delivery = await claimOne();
    await settle(attemptOf(delivery, SUCCEEDED));
    await world.query('DELETE FROM events WHERE id = $1', [delivery.eventId]);
    await expect(retryDelivery(context(), delivery.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('a change of the subscription beside an open settlement', () => {
  it.each([
    ['pause', () => updateSubscription(context(), subscriptionId, { active: false })],
    ['rotate its secret', () => rotateSecret(context(), subscriptionId)],
    ['delete', () => deleteSubscription(context(), subscriptionId)],
  ])(
    'to %s waits for nothing the settlement holds, so that neither can wait for the other',
    async (_, change) => {
      const first = await claimOne();
      await inTransaction(world.workerPool, async (client) => {
        await settleBatch(client, [attemptOf(first, FAILED)], now());
        await change();
      });
      expect(await getDelivery(context(), first.id)).toMatchObject({ status: 'FAILED', attemptCount: 1 });
    },
  );
});

describe('settlement', () => {
  it('tries again until the database takes a batch, and forgets nothing of it (webhooks rule 12)', async () => {
    const deliveries = await emitAndClaim(3);
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
    await Promise.all(deliveries.map((delivery) => settlement.add(attemptOf(delivery, SUCCEEDED))));
    expect(tries).toBe(3);
    expect(errors.map(({ message }) => message)).toEqual(
      Array.from({ length: 3 }, () => expect.stringContaining('permission denied')),
    );
    expect(rings).toEqual(['updates']);
    expect(settlement.backlog()).toBe(0);
    for (const { id } of deliveries) {
      expect(await getDelivery(context(), id)).toMatchObject({ status: 'SUCCEEDED', attemptCount: 1 });
    }
  });

  it('writes the others when one result is refused for what it holds', async () => {
    const [first, second] = await emitAndClaim(2);
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
    await Promise.all([refused, second].map((delivery) => settlement.add(attemptOf(delivery, SUCCEEDED))));
    expect(await getDelivery(context(), second.id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await getDelivery(context(), first.id)).toMatchObject({ status: 'PENDING' });
    expect(errors).toHaveLength(2);
  });

  it('counts the first of two results of one attempt', async () => {
    const delivery = await claimOne();
    await settle(attemptOf(delivery, SUCCEEDED), attemptOf(delivery, SUCCEEDED));
    expect(await getDelivery(context(), delivery.id)).toMatchObject({ status: 'SUCCEEDED', attemptCount: 1 });
  });

  it('tells of the attempts that it recorded, not of what came late', async () => {
    const [stale, fresh] = await emitAndClaim(2);
    if (stale === undefined || fresh === undefined) throw new Error('Expected two deliveries.');
    await settle(attemptOf(stale, retry()));
    const observed: string[] = [];
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: world.doorbell,
      onError: (error) => expect.fail(error.message),
      pause: () => Promise.resolve(),
      observe: (batch) => observed.push(...batch.map(({ delivery }) => delivery.id)),
    });
    await Promise.all([stale, fresh].map((delivery) => settlement.add(attemptOf(delivery, SUCCEEDED))));
    expect(observed).toEqual([fresh.id]);
  });

  it('takes back what it wrote of a batch that fails in the middle', async () => {
    const first = await claimOne();
    const second = { ...first, id: 'not-a-uuid' };
    await expect(settle(attemptOf(first, SUCCEEDED), attemptOf(second, SUCCEEDED))).rejects.toThrow('uuid');
    expect(await getDelivery(context(), first.id)).toMatchObject({ status: 'PENDING', attemptCount: 0 });
    expect(await listAttempts(context(), first.id)).toEqual([]);
  });

  it('drains: what was added is written when it resolves, more than one batch of it', async () => {
    const deliveries = await emitAndClaim(600);
    const settlement = createSettlement({
      pool: world.workerPool,
      clock: world.clock,
      doorbell: world.doorbell,
      onError: (error) => expect.fail(error.message),
      pause: () => Promise.resolve(),
    });
    for (const delivery of deliveries) void settlement.add(attemptOf(delivery, SUCCEEDED));
    expect(settlement.backlog()).toBe(600);
    await settlement.drain();
    const [row] = await world.query(
      "SELECT count(*)::int AS count FROM deliveries WHERE subscription_id = $1 AND status = 'SUCCEEDED'",
      [subscriptionId],
    );
    expect(row).toEqual({ count: 600 });
  });
});
