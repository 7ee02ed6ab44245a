/** Mutations of webhook subscriptions (GraphQL conventions 3, 4): a payload or typed errors, with paths into the input. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { CREATE, createSubscription, DELETE, ROTATE, UPDATE } from './operations.ts';
import { kindOf, post, read, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

const DELETED_SUBSCRIPTION = graphql(`
  query DeletedSubscription($id: ID!) {
    node(id: $id) { ... on Delivery { status subscription { deletedAt } } }
  }
`);

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('createWebhookSubscription', () => {
  test('answers the subscription and, this once, its secret; the reads after it see what was committed', async () => {
    const result = await createSubscription(server, {
      description: 'Grades',
      customHeaders: [
        { name: 'X-School', value: 'north' },
        { name: 'Authorization', value: 'Bearer abc' },
      ],
      maxConcurrency: 3,
      rateLimitPerSecond: 5,
      retrySeconds: [1, 2],
      timeoutSeconds: 5,
      orderedBy: 'data.user_id',
    });
    expect(result.secret).toMatch(/^whsec_/);
    expect(result.subscription).toMatchObject({
      targetUrl: 'https://lms.example/hooks',
      eventTypes: ['quest.completed'],
      description: 'Grades',
      status: 'ACTIVE',
      version: 1,
      maxConcurrency: 3,
      rateLimitPerSecond: 5,
      retrySeconds: [1, 2],
      timeoutSeconds: 5,
      orderedBy: 'data.user_id',
      secrets: [{ expiresAt: null }],
    });
  });

  test('shows custom headers with credentials masked (webhooks rule 11)', async () => {
    const { subscription } = await createSubscription(server, {
      customHeaders: [
        { name: 'X-School', value: 'north' },
        { name: 'Authorization', value: 'Bearer abc' },
      ],
    });
    expect(subscription.customHeaders).toEqual([
      { name: 'X-School', value: 'north' },
      { name: 'Authorization', value: '••••' },
    ]);
  });

  test('names every fault at once, in the words of its input', async () => {
    const { createWebhookSubscription } = await read(server, 'north', CREATE, {
      input: {
        targetUrl: 'http://127.0.0.1/',
        eventTypes: ['quest.completed', 'nothing'],
        maxConcurrency: 0,
        rateLimitPerSecond: 0,
        retrySeconds: [0],
        customHeaders: [{ name: 'Host', value: 'x' }],
      },
    });
    expect(kindOf(createWebhookSubscription)).toBe('ValidationError');
    const faults = 'faults' in createWebhookSubscription ? createWebhookSubscription.faults : [];
    expect(faults.map(({ path }) => path.join('.'))).toEqual([
      'input.targetUrl',
      'input.eventTypes.1',
      'input.customHeaders.Host',
      'input.maxConcurrency',
      'input.rateLimitPerSecond',
      'input.retrySeconds.0',
    ]);
  });

  test('names the missing scope', async () => {
    const { createWebhookSubscription } = await read(server, 'north-reader', CREATE, {
      input: { targetUrl: 'https://lms.example/', eventTypes: ['*'] },
    });
    expect(createWebhookSubscription).toMatchObject({
      __typename: 'ForbiddenError',
      requiredScope: 'write:webhooks',
    });
  });
});

describe('updateWebhookSubscription', () => {
  test('changes what is named and leaves the rest', async () => {
    const { subscription } = await createSubscription(server, {
      description: 'Before',
      maxConcurrency: 3,
      rateLimitPerSecond: 5,
    });
    const { id } = subscription;
    const { updateWebhookSubscription } = await read(server, 'north', UPDATE, {
      input: { id, description: null, active: false, expectedVersion: 1 },
    });
    expect(updateWebhookSubscription).toEqual({
      __typename: 'UpdateWebhookSubscriptionPayload',
      subscription: {
        id,
        description: null,
        status: 'PAUSED',
        version: 2,
        maxConcurrency: 3,
        rateLimitPerSecond: 5,
      },
    });
    const { updateWebhookSubscription: unlimited } = await read(server, 'north', UPDATE, {
      input: { id, rateLimitPerSecond: null, active: true, maxConcurrency: null },
    });
    expect(unlimited).toMatchObject({
      subscription: { status: 'ACTIVE', rateLimitPerSecond: null, maxConcurrency: 3 },
    });
  });

  test('answers another version with a conflict that names the current one (convention 4)', async () => {
    const { subscription } = await createSubscription(server);
    const input = { id: subscription.id, description: 'After' };
    await read(server, 'north', UPDATE, { input: { ...input, expectedVersion: 1 } });
    const { updateWebhookSubscription } = await read(server, 'north', UPDATE, {
      input: { ...input, description: 'Later', expectedVersion: 1 },
    });
    expect(updateWebhookSubscription).toEqual({
      __typename: 'ConflictError',
      message: 'The webhook subscription was changed meanwhile: it has version 2, not 1.',
      currentVersion: 2,
      current: {
        __typename: 'WebhookSubscription',
        id: subscription.id,
        description: 'After',
        version: 2,
      },
    });
  });
});

describe('deleteWebhookSubscription', () => {
  test('cancels what waits; the history still names the subscription (webhooks rule 12a)', async () => {
    const { subscriptionId, deliveryId } = await seedDelivery(server, NORTH);
    const id = globalId('WebhookSubscription', subscriptionId);
    const { deleteWebhookSubscription } = await read(server, 'north', DELETE, { input: { id } });
    expect(deleteWebhookSubscription).toEqual({
      __typename: 'DeleteWebhookSubscriptionPayload',
      deletedId: id,
    });
    const { node } = await read(server, 'north', DELETED_SUBSCRIPTION, {
      id: globalId('Delivery', deliveryId),
    });
    expect(node).toEqual({ status: 'CANCELLED', subscription: { deletedAt: '2026-11-23T09:30:00.000Z' } });
    const { deleteWebhookSubscription: again } = await read(server, 'north', DELETE, { input: { id } });
    expect(kindOf(again)).toBe('NotFoundError');
  });
});

describe('rotateWebhookSecret', () => {
  test('answers the new secret; the old one goes on for the overlap', async () => {
    const { subscription, secret } = await createSubscription(server);
    const { rotateWebhookSecret } = await read(server, 'north', ROTATE, {
      input: { id: subscription.id, overlapSeconds: 60 },
    });
    expect(rotateWebhookSecret).toEqual({
      __typename: 'RotateWebhookSecretPayload',
      secret: expect.stringMatching(/^whsec_/),
      overlapEndsAt: '2026-11-23T09:31:00.000Z',
      deduplicated: false,
      subscription: { secrets: [{ expiresAt: null }, { expiresAt: '2026-11-23T09:31:00.000Z' }] },
    });
    expect(rotateWebhookSecret).not.toMatchObject({ secret });
  });

  test('refuses an overlap over a week, with its path', async () => {
    const { subscription } = await createSubscription(server);
    const { rotateWebhookSecret } = await read(server, 'north', ROTATE, {
      input: { id: subscription.id, overlapSeconds: 604_801 },
    });
    expect(rotateWebhookSecret).toMatchObject({ faults: [{ path: ['input', 'overlapSeconds'] }] });
  });
});

test('several mutations in one document run in turn, each on the result of the one before', async () => {
  const { subscription } = await createSubscription(server);
  const { data, errors } = await post(server, 'north', {
    query: `mutation ($id: ID!) {
      a: updateWebhookSubscription(input: { id: $id, description: "a", expectedVersion: 1 }) { ...version }
      b: updateWebhookSubscription(input: { id: $id, description: "b", expectedVersion: 2 }) { ...version }
    }
    fragment version on UpdateWebhookSubscriptionPayload { subscription { version secrets { createdAt } } }`,
    variables: { id: subscription.id },
  });
  expect(errors).toBeUndefined();
  expect(data).toMatchObject({ a: { subscription: { version: 2 } }, b: { subscription: { version: 3 } } });
});
