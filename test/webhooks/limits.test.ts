import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import type { Deliveries } from '../../src/webhooks/deliveries.ts';
import { createSubscription } from '../../src/webhooks/subscription.ts';
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
  onTestFinished(() => receiver.close());
});

const context = () => world.context(organizationId);
const subscribe = (settings = {}) =>
  createSubscription(context(), { targetUrl: receiver.url, eventTypes: ['task.completed'], ...settings });
const emit = (count: number) =>
  emitEvents(
    context(),
    Array.from({ length: count }, () => exampleEvent()),
  );

/** Two workers; `leave` stops the one that has the lane, so that the other one takes it over. */
function startTwo(): { readonly leave: () => Promise<void> } {
  const workers: Deliveries[] = [world.startWorker(), world.startWorker()];
  onTestFinished(async () => void (await Promise.all(workers.map((worker) => worker.stop()))));
  return {
    leave: async () => {
      const holder = workers.find((worker) => worker.load().lanes > 0);
      await holder?.stop();
    },
  };
}

it('an attempt has the time that its subscription gives it (webhooks rule 9)', async () => {
  receiver.answer = () => undefined;
  await subscribe({ timeoutSeconds: 1 });
  const worker = world.startWorker({ timeoutMs: 60_000 });
  await emit(1);
  await receiver.received(1);
  await worker.stop();
  expect(
    await world.query('SELECT status, last_error FROM deliveries WHERE organization_id = $1', [
      organizationId,
    ]),
  ).toEqual([{ status: 'RETRYING', last_error: 'The receiver did not answer within 1 seconds.' }]);
});

describe('over two workers, of which one leaves in the middle (webhooks rule 19)', () => {
  it('the rate is never exceeded: a second’s worth at first, then as time gives (webhooks rule 19)', async () => {
    const [rate, count] = [2, 10];
    const arrivals: number[] = [];
    receiver.answer = (_request, response) => {
      arrivals.push(performance.now());
      response.end();
    };
    await subscribe({ rateLimitPerSecond: rate });
    const { leave } = startTwo();
    const begun = performance.now();
    await emit(count);
    await receiver.received(6);
    await leave();
    await receiver.received(count);
    // Whatever delays an arrival, it cannot come before it may be sent.
    const tooEarly = arrivals.filter((at, index) => at < begun + ((index + 1 - rate) * 1_000) / rate - 1);
    expect(tooEarly).toEqual([]);
  });

  it('no more than the concurrency is ever on the wire (webhooks rule 19)', async () => {
    const count = 60;
    let open = 0;
    let most = 0;
    receiver.answer = (_request, response) => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open -= 1;
        response.end();
      });
    };
    await subscribe({ maxConcurrency: 3 });
    const { leave } = startTwo();
    await emit(count);
    await receiver.received(20);
    await leave();
    await receiver.received(count);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(3);
  });
});

describe('beside a subscription with 10,000 waiting deliveries whose target takes 10 s to answer (webhooks rule 18)', () => {
  const WAITING = 10_000;
  const SLOW_MS = 10_000;

  // Not one of the slow attempts ends before the others are through: what waited for one of them would wait for ever.
  it('a hundred of another one are sent, one after the other, and wait for none of its attempts (webhooks rule 18)', async () => {
    const slow = await startReceiver();
    const held: ServerResponse[] = [];
    slow.answer = (_request, response) => void held.push(response);
    const worker = world.startWorker({ timeoutMs: 10 * SLOW_MS });
    await subscribe();
    const { subscription } = await subscribe({ targetUrl: slow.url, eventTypes: ['badge.earned'] });
    await emitEvents(context(), [exampleEvent('badge.earned')]);
    await world.query(
      `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
       SELECT organization_id, optio.uuid_v7(), subscription_id, event_id, event_type, 'PENDING', $3
       FROM deliveries, generate_series(2, $2::int) WHERE subscription_id = $1`,
      [subscription.id, WAITING, world.clock.now()],
    );
    await slow.received(1);
    for (let sent = 1; sent <= 100; sent += 1) {
      await emit(1);
      await receiver.received(sent);
    }
    const [ended] = await world.query(
      'SELECT count(*)::int AS count FROM deliveries WHERE subscription_id = $1 AND attempt_count > 0',
      [subscription.id],
    );
    expect(held.length).toBeLessThanOrEqual(10);
    expect(ended).toEqual({ count: 0 });
    for (const response of held) response.destroy();
    await slow.close();
    await worker.stop();
  });
});
