import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emitEvents } from '../../src/events/emit.ts';
import { getDelivery, listAttempts, listDeliveries, retryDelivery } from '../../src/webhooks/delivery.ts';
import { rotateSecret } from '../../src/webhooks/secret-rotation.ts';
import {
  createSubscription,
  deleteSubscription,
  getSubscription,
  updateSubscription,
} from '../../src/webhooks/subscription.ts';
import { sendTestEvent } from '../../src/webhooks/test-event.ts';
import type { StreamItem } from '../../src/webhooks/update.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';

let world: World;
let receiver: Receiver;
let organizationId: string;

beforeAll(async () => {
  world = await openWorld();
  world.startWorker();
});
afterAll(() => world.close());
beforeEach(async () => {
  receiver = await startReceiver();
  organizationId = await world.createOrganization();
});
afterEach(() => receiver.close());

const context = () => world.context(organizationId);
const subscribe = (settings = {}) =>
  createSubscription(context(), { targetUrl: receiver.url, eventTypes: ['task.completed'], ...settings });
const emit = async () => (await emitEvents(context(), [exampleEvent()]))[0];

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

describe('delivery', () => {
  it('posts the envelope exactly, signed in both families, and records the attempt (webhooks rules 7, 11, 23, 24)', async () => {
    const { secret } = await subscribe();
    const until = await watch();
    const event = await emit();
    const [request] = await receiver.received(1);
    const { deliveryId } = await until('SUCCEEDED');

    expect(JSON.parse(request?.body ?? '')).toEqual({
      event: 'task.completed',
      timestamp: world.clock.now().toISOString(),
      data: exampleEvent().data,
      organization_id: organizationId,
    });
    expect(Object.keys(JSON.parse(request?.body ?? ''))).toEqual([
      'event',
      'timestamp',
      'data',
      'organization_id',
    ]);
    expect(request?.headers).toMatchObject({
      'x-optio-event': 'task.completed',
      'x-optio-delivery': deliveryId,
      'x-optio-event-id': event?.id,
      'webhook-id': deliveryId,
      'content-type': 'application/json',
      'x-optio-signature': `sha256=${createHmac('sha256', secret)
        .update(request?.body ?? '')
        .digest('hex')}`,
    });
    const verified = new Webhook(secret).verify(
      request?.body ?? '',
      request?.headers as Record<string, string>,
    ); // Single values.
    expect(verified).toMatchObject({ event: 'task.completed' });

    const delivery = await getDelivery(context(), deliveryId);
    expect(delivery).toMatchObject({
      status: 'SUCCEEDED',
      attemptCount: 1,
      lastResponseCode: 200,
      lastError: null,
      dueAt: null,
    });
    const attempts = await listAttempts(context(), deliveryId);
    expect(attempts).toHaveLength(1);
    expect(attempts[0]).toMatchObject({ number: 1, responseCode: 200, responseBody: 'ok', errorKind: null });
    expect(attempts[0]?.totalMs).toBeGreaterThan(0);
  });

  it('retries on schedule with the same id and the same bytes, until the receiver takes it (webhooks rules 7, 8)', async () => {
    let refusals = 2;
    receiver.answer = (_request, response) => {
      response.statusCode = refusals-- > 0 ? 500 : 204;
      response.end();
    };
    await subscribe();
    const until = await watch();
    await emit();
    const first = await until('RETRYING');
    expect(first).toMatchObject({
      attemptNumber: 1,
      responseCode: 500,
      error: expect.stringContaining('500'),
    });
    const waiting = await getDelivery(context(), first.deliveryId);
    expect(waiting.dueAt?.getTime()).toBe(world.clock.now().getTime() + 60_000);

    world.clock.advance(59_999);
    expect((await getDelivery(context(), first.deliveryId)).attemptCount).toBe(1);
    world.clock.advance(1);
    expect(await until('RETRYING')).toMatchObject({ attemptNumber: 2 });
    world.clock.advance(120_000);
    expect(await until('SUCCEEDED')).toMatchObject({ attemptNumber: 3, responseCode: 204 });

    const requests = await receiver.received(3);
    expect(new Set(requests.map((request) => request.headers['x-optio-delivery']))).toEqual(
      new Set([first.deliveryId]),
    );
    expect(new Set(requests.map((request) => request.body)).size).toBe(1);
  });

  it('fails after the first attempt and five retries, says why, and begins anew when asked (webhooks rule 8)', async () => {
    receiver.answer = (_request, response) => void response.writeHead(503).end('busy');
    await subscribe();
    const until = await watch();
    await emit();
    for (const delay of [60, 120, 240, 480, 960]) {
      await until('RETRYING');
      world.clock.advance(delay * 1_000);
    }
    const { deliveryId } = await until('FAILED');
    expect(receiver.requests).toHaveLength(6);
    expect(await getDelivery(context(), deliveryId)).toMatchObject({
      attemptCount: 6,
      lastResponseCode: 503,
      lastError: expect.stringContaining('503'),
    });

    receiver.answer = (_request, response) => void response.end();
    await retryDelivery(context(), deliveryId);
    expect(await until('SUCCEEDED')).toMatchObject({ deliveryId, attemptNumber: 7 });
  });

  it('disables the subscription on 410 Gone and holds what comes after (webhooks rules 8, 21)', async () => {
    receiver.answer = (_request, response) => void response.writeHead(410).end();
    const { subscription } = await subscribe();
    const until = await watch();
    await emit();
    await until('FAILED');
    const disabled = await getSubscription(context(), subscription.id);
    expect(disabled).toMatchObject({ status: 'DISABLED', disabledReason: expect.stringContaining('410') });
    await emit();
    const page = await listDeliveries(context(), { statuses: ['HELD'] }, { limit: 10 });
    expect(page.items).toHaveLength(1);
    expect(receiver.requests).toHaveLength(1);
  });

  it('holds while paused and sends on resume; a test event goes out all the same', async () => {
    const { subscription } = await subscribe();
    await updateSubscription(context(), subscription.id, { active: false });
    const until = await watch();
    await emit();
    const { delivery: test } = await sendTestEvent(context(), { subscriptionId: subscription.id });
    expect((await until('SUCCEEDED')).deliveryId).toBe(test.id);
    expect(receiver.requests.map((request) => request.headers['x-optio-event'])).toEqual(['webhook.test']);
    await updateSubscription(context(), subscription.id, { active: true });
    await until('SUCCEEDED');
    expect(receiver.requests.map((request) => request.headers['x-optio-event'])).toEqual([
      'webhook.test',
      'task.completed',
    ]);
  });

  it('sends nothing more that it had claimed ahead once the subscription is paused', async () => {
    const open: ServerResponse[] = [];
    // The first one is answered: what answers fast is claimed ahead.
    receiver.answer = (_request, response) => {
      if (receiver.requests.length === 1) response.end();
      else open.push(response);
    };
    const { subscription } = await subscribe({ maxConcurrency: 1 });
    const other = await subscribe({ eventTypes: ['badge.earned'] });
    const until = await watch();
    await emitEvents(
      context(),
      Array.from({ length: 40 }, () => exampleEvent()),
    );
    await receiver.received(2);
    await updateSubscription(context(), subscription.id, { active: false });
    // Claimed after the pause: by then the worker has heard of it.
    await emitEvents(context(), [exampleEvent('badge.earned')]);
    await receiver.received(3);
    for (const response of open.splice(0)) response.end();
    for (let settled = 0; settled < 3; settled++) await until('SUCCEEDED');
    await sendTestEvent(context(), { subscriptionId: other.subscription.id });
    await receiver.received(4);
    for (const response of open.splice(0)) response.end();
    await until('SUCCEEDED');
    expect(receiver.requests.map((request) => request.headers['x-optio-event'])).toEqual([
      'task.completed',
      'task.completed',
      'badge.earned',
      'webhook.test',
    ]);
  });

  it('signs with both secrets during the overlap of a rotation, and with the new one after it (webhooks rule 24)', async () => {
    const { subscription, secret: old } = await subscribe();
    const { secret } = await rotateSecret(context(), subscription.id, { overlapSeconds: 3_600 });
    const until = await watch();
    await emit();
    await until('SUCCEEDED');
    world.clock.advance(3_600_001);
    await emit();
    await until('SUCCEEDED');
    const [during, after] = receiver.requests;
    expect(during?.headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    expect(after?.headers['webhook-signature']).toMatch(/^v1,\S+$/);
    const sign = (key: string, body = '') => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
    expect(during?.headers['x-optio-signature']).toBe(sign(secret, during?.body));
    expect(during?.headers['x-optio-signature']).not.toBe(sign(old, during?.body));
  });

  it('signs with the new secret at once, in a lane that is busy, when there is no overlap', async () => {
    const { subscription } = await subscribe();
    const until = await watch();
    await emit();
    await until('SUCCEEDED');
    const { secret } = await rotateSecret(context(), subscription.id, { overlapSeconds: 0 });
    await emit();
    await until('SUCCEEDED');
    const [, request] = receiver.requests;
    const expected = createHmac('sha256', secret)
      .update(request?.body ?? '')
      .digest('hex');
    expect(request?.headers['x-optio-signature']).toBe(`sha256=${expected}`);
  });

  it('cancels what waits when the subscription is deleted; its history stays (webhooks rule 12a)', async () => {
    receiver.answer = (_request, response) => void response.writeHead(500).end();
    const { subscription } = await subscribe();
    const until = await watch();
    await emit();
    const { deliveryId } = await until('RETRYING');
    await deleteSubscription(context(), subscription.id);
    expect(await getDelivery(context(), deliveryId)).toMatchObject({ status: 'CANCELLED', attemptCount: 1 });
    expect(await listAttempts(context(), deliveryId)).toHaveLength(1);
    await expect(getSubscription(context(), subscription.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('never has more than the subscription allows on the wire at once (webhooks rule 19)', async () => {
    const open: ServerResponse[] = [];
    let most = 0;
    // After the first, which shows how it answers, as many stay open as may be: fewer would wait for ever. They are
    // answered when another event has come through the same worker: by then one too many would be here, too.
    receiver.answer = ({ headers }, response) => {
      if (headers['x-optio-event'] === 'badge.earned') response.end();
      else most = Math.max(most, open.push(response));
      if (headers['x-optio-event'] === 'badge.earned' || receiver.requests.length === 1)
        for (const waiting of open.splice(0)) waiting.end();
      else if (open.length === 3) void emitEvents(context(), [exampleEvent('badge.earned')]);
    };
    await subscribe({ maxConcurrency: 3 });
    await subscribe({ eventTypes: ['badge.earned'] });
    const until = await watch();
    await emitEvents(
      context(),
      Array.from({ length: 31 }, () => exampleEvent()),
    );
    for (let settled = 0; settled < 31; ) {
      if ((await until('SUCCEEDED')).eventType === 'task.completed') settled += 1;
    }
    expect(most).toBe(3);
  });
});

it('met no error in the background', () => {
  expect(world.errors).toEqual([]);
});
