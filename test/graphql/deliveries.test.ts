/** Mutations of deliveries, and of what is another organization's (GraphQL conventions 3 and 6). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { CANCEL, createSubscription, DELETE, RETRY, ROTATE, SEND_TEST, UPDATE } from './operations.ts';
import { kindOf, read, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH, SOUTH } from './viewers.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('Deliveries', () => {
  test('sendTestEvent sends one, even while the subscription is paused', async () => {
    const { subscription } = await createSubscription(server);
    await read(server, 'north', UPDATE, { input: { id: subscription.id, active: false } });
    const { sendTestEvent } = await read(server, 'north', SEND_TEST, {
      input: { subscriptionId: subscription.id },
    });
    expect(sendTestEvent).toMatchObject({
      __typename: 'SendTestEventPayload',
      delivery: {
        isTest: true,
        status: 'PENDING',
        eventType: 'webhook.test',
        event: { data: { requested_by: 'client-a' } },
      },
    });
    const { sendTestEvent: unknown } = await read(server, 'north', SEND_TEST, {
      input: { subscriptionId: subscription.id, eventType: 'x' },
    });
    expect(unknown).toMatchObject({ faults: [{ path: ['input', 'eventType'] }] });
  });

  test('retryDelivery and cancelDelivery change its state, and say when they cannot', async () => {
    const { deliveryId, subscriptionId } = await seedDelivery(server, NORTH, 1);
    const id = globalId('Delivery', deliveryId);
    const { retryDelivery } = await read(server, 'north', RETRY, { input: { id } });
    expect(retryDelivery).toEqual({
      __typename: 'RetryDeliveryPayload',
      delivery: { id, status: 'RETRYING', nextAttemptAt: '2026-11-23T09:30:00.000Z' },
    });
    const { cancelDelivery } = await read(server, 'north', CANCEL, { input: { id } });
    expect(cancelDelivery).toMatchObject({ delivery: { status: 'CANCELLED' } });
    const { cancelDelivery: again } = await read(server, 'north', CANCEL, { input: { id } });
    expect(again).toEqual({
      __typename: 'ConflictError',
      message: 'The delivery has ended: it was cancelled.',
    });
    await read(server, 'north', UPDATE, {
      input: { id: globalId('WebhookSubscription', subscriptionId), active: false },
    });
    const { retryDelivery: paused } = await read(server, 'north', RETRY, { input: { id } });
    expect(kindOf(paused)).toBe('ConflictError');
  });
});

describe('Another organization (convention 6)', () => {
  test('is not found by any mutation, and nothing of it changes', async () => {
    const { subscriptionId, deliveryId } = await seedDelivery(server, SOUTH);
    const subscription = { id: globalId('WebhookSubscription', subscriptionId) };
    const delivery = { id: globalId('Delivery', deliveryId) };
    const before = await server.sql('SELECT * FROM webhook_subscriptions WHERE id = $1', [subscriptionId]);
    const answers = [
      (await read(server, 'north', UPDATE, { input: { ...subscription, active: false } }))
        .updateWebhookSubscription,
      (await read(server, 'north', DELETE, { input: subscription })).deleteWebhookSubscription,
      (await read(server, 'north', ROTATE, { input: subscription })).rotateWebhookSecret,
      (await read(server, 'north', SEND_TEST, { input: { subscriptionId: subscription.id } })).sendTestEvent,
      (await read(server, 'north', RETRY, { input: delivery })).retryDelivery,
      (await read(server, 'north', CANCEL, { input: delivery })).cancelDelivery,
      // An id of the wrong kind is none either.
      (await read(server, 'south', RETRY, { input: subscription })).retryDelivery,
      (await read(server, 'south', DELETE, { input: delivery })).deleteWebhookSubscription,
    ];
    expect(answers.map(kindOf)).toEqual(answers.map(() => 'NotFoundError'));
    const after = await server.sql('SELECT * FROM webhook_subscriptions WHERE id = $1', [subscriptionId]);
    expect(after).toEqual(before);
  });
});
