import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inTransaction } from '../../src/platform/database/pool.ts';
import type { Outcome } from '../../src/webhooks/outcome.ts';
import { settleBatch } from '../../src/webhooks/settlement-sql.ts';
import { createSubscription, getSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import { FAILED, openStillLane, type StillLane, SUCCEEDED } from '../support/made-up-attempts.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const TOLD = 'webhook.subscription.disabled';

let world: World;
let lane: StillLane;

// No worker runs: what came of each attempt is made up, and the clock turns as a test says.
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  lane = await openStillLane(world);
});

/** Deliveries that all come to this end, settled in one batch. */
async function end(count: number, outcome: Outcome = FAILED): Promise<void> {
  const deliveries = await lane.emitAndClaim(count);
  await lane.settle(...deliveries.map((delivery) => lane.attemptOf(delivery, outcome)));
}

const subscription = () => getSubscription(lane.context, lane.subscriptionId);
const status = async () => (await subscription()).status;

const told = () =>
  world.query(
    `SELECT d.subscription_id, d.status, e.body::json -> 'data' AS data FROM deliveries d
     JOIN events e ON e.id = d.event_id WHERE d.organization_id = $1 AND d.event_type = $2`,
    [lane.organizationId, TOLD],
  );

const subscribe = async (eventTypes: readonly string[], context = lane.context) =>
  (await createSubscription(context, { targetUrl: 'https://127.0.0.1/other', eventTypes })).subscription.id;

describe('a subscription that keeps failing (webhooks rule 21)', () => {
  it('is disabled by the 50th failure in a row when the first is 24 hours old, and not before (webhooks rule 21)', async () => {
    await end(49);
    world.clock.advance(DAY - 1);
    await end(1);
    expect(await status()).toBe('ACTIVE');
    const since = new Date(world.clock.now().getTime() - DAY + 1);
    world.clock.advance(1);
    await end(1);
    expect(await subscription()).toMatchObject({
      status: 'DISABLED',
      disabledAt: world.clock.now(),
      disabledReason: `The last 51 deliveries failed; none has succeeded since ${since.toISOString()}.`,
      version: 2,
    });
  });

  it('is not disabled by 49 failures over a day, nor by hundreds within one', async () => {
    await end(200);
    world.clock.advance(DAY - 1);
    await end(200);
    expect(await status()).toBe('ACTIVE');
    lane = await openStillLane(world);
    await end(1);
    world.clock.advance(DAY);
    await end(48);
    expect(await status()).toBe('ACTIVE');
  });

  it('is disabled after five days of failures, however few they are', async () => {
    await end(1);
    world.clock.advance(5 * DAY - 1);
    await end(1);
    expect(await status()).toBe('ACTIVE');
    world.clock.advance(1);
    await end(1);
    expect(await status()).toBe('DISABLED');
  });

  it('begins anew with each success, and counts only deliveries that ended', async () => {
    await end(60);
    world.clock.advance(DAY);
    await end(1, SUCCEEDED);
    await end(49);
    world.clock.advance(5 * DAY - 1);
    const later = new Date(world.clock.now().getTime() + DAY);
    await end(10, { kind: 'retry', dueAt: later, error: '500', errorKind: 'http_status' });
    expect(await status()).toBe('ACTIVE');
  });

  it('is forgiven by whoever resumes it: neither the failures nor the time in between count', async () => {
    await end(60);
    await updateSubscription(lane.context, lane.subscriptionId, { active: false });
    world.clock.advance(6 * DAY);
    await updateSubscription(lane.context, lane.subscriptionId, { active: true });
    await end(1);
    expect(await status()).toBe('ACTIVE');
    world.clock.advance(DAY);
    await end(48);
    expect(await status()).toBe('ACTIVE');
    await end(1);
    expect(await status()).toBe('DISABLED');
  });

  it('stays paused if it is: what was on the wire then ends for nothing', async () => {
    await end(60);
    world.clock.advance(DAY);
    const late = await lane.claimOne();
    await updateSubscription(lane.context, lane.subscriptionId, { active: false });
    await lane.settle(lane.attemptOf(late, FAILED));
    await sendTestEvent(lane.context, { subscriptionId: lane.subscriptionId });
    expect(await status()).toBe('PAUSED');
  });

  it('holds what comes from then on (webhooks rule 21)', async () => {
    await end(1);
    world.clock.advance(5 * DAY);
    await end(1);
    expect(await lane.emitAndClaim(2)).toEqual([]);
    expect(
      await world.query('SELECT status FROM deliveries WHERE subscription_id = $1 AND completed_at IS NULL', [
        lane.subscriptionId,
      ]),
    ).toEqual([{ status: 'HELD' }, { status: 'HELD' }]);
  });
});

describe(`the event ${TOLD} (webhooks rule 21)`, () => {
  const fail = async () => {
    await end(1);
    world.clock.advance(5 * DAY);
    await end(1);
  };

  it('goes to the others of the organization that ask for it, once, and to nobody else', async () => {
    const asking = await subscribe([TOLD]);
    const everything = await subscribe(['*']);
    const paused = await subscribe([TOLD, 'task.completed']);
    await updateSubscription(lane.context, paused, { active: false });
    await subscribe(['badge.earned']);
    const elsewhere = await world.createOrganization();
    await subscribe(['*'], world.context(elsewhere));
    await fail();
    const data = {
      subscription_id: lane.subscriptionId,
      target_url: 'http://127.0.0.1:9999/',
      reason: expect.stringContaining('The last 2 deliveries failed'),
      disabled_at: world.clock.now().toISOString(),
    };
    const rows = (await told()).toSorted((a, b) =>
      String(a['subscription_id']) < String(b['subscription_id']) ? -1 : 1,
    );
    expect(rows).toEqual([
      { subscription_id: asking, status: 'PENDING', data },
      { subscription_id: everything, status: 'PENDING', data },
      { subscription_id: paused, status: 'HELD', data },
    ]);
    expect(await world.query('SELECT FROM events WHERE organization_id = $1', [elsewhere])).toEqual([]);
  });

  it('tells of a 410 as well, and of each subscription once however many of its deliveries come to that', async () => {
    await subscribe([TOLD]);
    await end(3, { ...FAILED, disableSubscription: 'It answered 410 Gone.' });
    expect(await told()).toMatchObject([{ data: { reason: 'It answered 410 Gone.' } }]);
    await sendTestEvent(lane.context, { subscriptionId: lane.subscriptionId });
    const [test] = await lane.claim();
    if (test === undefined) throw new Error('Expected the test event.');
    await lane.settle(lane.attemptOf(test, { ...FAILED, disableSubscription: 'It answered 410 Gone.' }));
    expect(await told()).toHaveLength(1);
  });

  it('is one transaction with the end of the delivery and the state: all of it, or nothing', async () => {
    await subscribe([TOLD]);
    await end(1);
    world.clock.advance(5 * DAY);
    const delivery = await lane.claimOne();
    const failing = inTransaction(world.workerPool, async (client) => {
      await settleBatch(client, [lane.attemptOf(delivery, FAILED)], world.clock.now());
      throw new Error('The database goes away.');
    });
    await expect(failing).rejects.toThrow('goes away');
    expect([await status(), await told()]).toEqual(['ACTIVE', []]);
    await lane.settle(lane.attemptOf(delivery, FAILED));
    expect([await status(), (await told()).length]).toEqual(['DISABLED', 1]);
  });
});

describe('settlement', () => {
  it('asks the database once, for a batch of many subscriptions as for one, unless one is to be disabled', async () => {
    const lanes = await Promise.all(Array.from({ length: 5 }, () => openStillLane(world)));
    const batch = await Promise.all(
      lanes.map(async (one, index) => one.attemptOf(await one.claimOne(), index === 0 ? SUCCEEDED : FAILED)),
    );
    const statements = await inTransaction(world.workerPool, async (client) => {
      const asked: unknown[] = [];
      const counting = Object.assign(Object.create(client), {
        query: (...args: Parameters<typeof client.query>) => {
          asked.push(args[0]);
          return client.query(...args);
        },
      });
      await settleBatch(counting, batch, world.clock.now());
      return asked;
    });
    expect(statements).toMatchObject([{ name: 'settle' }]);
  });
});

it('is about example events that the catalogue knows', () => {
  expect(exampleEvent(TOLD).type).toBe(TOLD);
});
