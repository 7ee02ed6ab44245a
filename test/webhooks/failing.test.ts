import { afterAll, beforeAll, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { createSubscription, updateSubscription } from '../../src/webhooks/subscription.ts';
import type { StreamItem } from '../../src/webhooks/update.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
  organizationId = await world.createOrganization();
  world.startWorker();
});
afterAll(() => world.close());

const context = () => world.context(organizationId);
const emit = () => emitEvents(context(), [exampleEvent()]);
const subscribe = (receiver: Receiver, settings = {}) =>
  createSubscription(context(), { targetUrl: receiver.url, eventTypes: ['task.completed'], ...settings });

/** Opens the organization's live stream and answers a function that waits for a status of any delivery. */
async function watch() {
  const stream = world.updates.subscribe(context().viewer, {});
  await stream.next();
  return async (status: string): Promise<Extract<StreamItem, { kind: 'update' }>['update']> => {
    for (;;) {
      const { value } = await stream.next();
      if (value?.kind === 'update' && value.update.status === status) return value.update;
    }
  };
}

it('disables what keeps failing, tells the others, holds what comes after, and sends it when it is enabled (webhooks rules 21, 22)', async () => {
  const [receiver, other] = await Promise.all([startReceiver(), startReceiver()]);
  await subscribe(other, { eventTypes: ['webhook.subscription.disabled'] });
  receiver.answer = (_request, response) => void response.writeHead(500).end();
  const { subscription } = await subscribe(receiver, { retrySeconds: [1] });
  const until = await watch();
  for (let delivery = 0; delivery < 2; delivery++) {
    await emit();
    await until('RETRYING');
    world.clock.advance(2_000);
    await until('FAILED');
    world.clock.advance(5 * 86_400_000);
  }
  const [request] = await other.received(1);
  expect(JSON.parse(request?.body ?? '')).toMatchObject({
    event: 'webhook.subscription.disabled',
    data: { subscription_id: subscription.id, target_url: receiver.url },
  });
  receiver.answer = (_request, response) => void response.end();
  await emit();
  expect((await until('HELD')).subscriptionId).toBe(subscription.id);
  expect(receiver.requests).toHaveLength(4);
  await updateSubscription(context(), subscription.id, { active: true, held: 'send' });
  await receiver.received(5);
  await Promise.all([receiver.close(), other.close()]);
  expect(world.errors).toEqual([]);
});
