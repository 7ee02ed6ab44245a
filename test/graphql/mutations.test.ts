/** Mutations (GraphQL conventions 3, 4, 6): one input, a union of payload and typed errors, nothing done by halves. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import type { CreateWebhookSubscriptionInput } from '../generated/gql/graphql.ts';
import { graphql } from '../generated/gql/index.ts';
import { execute, post, read, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH, SOUTH } from './viewers.ts';

const EMIT = graphql(`
  mutation Emit($input: EmitEventInput!) {
    emitEvent(input: $input) {
      __typename
      ... on EmitEventPayload { eventId type deliveryCount deduplicated event { id idempotencyKey occurredAt } }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
      ... on ForbiddenError { requiredScope }
    }
  }
`);

const EMIT_MANY = graphql(`
  mutation EmitMany($input: EmitEventsInput!) {
    emitEvents(input: $input) {
      __typename
      ... on EmitEventsPayload { events { eventId type deliveryCount deduplicated } }
      ... on ValidationError { faults { path message } }
    }
  }
`);

const CREATE = graphql(`
  mutation Create($input: CreateWebhookSubscriptionInput!) {
    createWebhookSubscription(input: $input) {
      __typename
      ... on CreateWebhookSubscriptionPayload {
        secret
        subscription {
          id targetUrl eventTypes description status version maxConcurrency rateLimitPerSecond retrySeconds
          customHeaders { name value }
          secrets { expiresAt }
        }
      }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
      ... on ForbiddenError { requiredScope }
    }
  }
`);

const UPDATE = graphql(`
  mutation Update($input: UpdateWebhookSubscriptionInput!) {
    updateWebhookSubscription(input: $input) {
      __typename
      ... on UpdateWebhookSubscriptionPayload {
        subscription { id description status version maxConcurrency rateLimitPerSecond }
      }
      ... on Error { message }
      ... on ConflictError { currentVersion }
      ... on ValidationError { faults { path message } }
    }
  }
`);

const DELETE = graphql(`
  mutation Delete($input: DeleteWebhookSubscriptionInput!) {
    deleteWebhookSubscription(input: $input) {
      __typename
      ... on DeleteWebhookSubscriptionPayload { deletedId }
      ... on Error { message }
    }
  }
`);

const ROTATE = graphql(`
  mutation Rotate($input: RotateWebhookSecretInput!) {
    rotateWebhookSecret(input: $input) {
      __typename
      ... on RotateWebhookSecretPayload { secret overlapEndsAt subscription { secrets { expiresAt } } }
      ... on ValidationError { faults { path message } }
      ... on Error { message }
    }
  }
`);

const SEND_TEST = graphql(`
  mutation SendTest($input: SendTestEventInput!) {
    sendTestEvent(input: $input) {
      __typename
      ... on SendTestEventPayload { delivery { id isTest status eventType event { data } } }
      ... on ValidationError { faults { path message } }
      ... on Error { message }
    }
  }
`);

const RETRY = graphql(`
  mutation Retry($input: RetryDeliveryInput!) {
    retryDelivery(input: $input) {
      __typename
      ... on RetryDeliveryPayload { delivery { id status nextAttemptAt } }
      ... on Error { message }
    }
  }
`);

const CANCEL = graphql(`
  mutation Cancel($input: CancelDeliveryInput!) {
    cancelDelivery(input: $input) {
      __typename
      ... on CancelDeliveryPayload { delivery { id status completedAt } }
      ... on Error { message }
    }
  }
`);

const DELETED_SUBSCRIPTION = graphql(`
  query DeletedSubscription($id: ID!) {
    node(id: $id) { ... on Delivery { status subscription { deletedAt } } }
  }
`);

const BADGE = {
  type: 'badge.earned',
  data: { user_id: 'ada', badge_id: 'b', badge_name: 'Naturalist', earned_at: '2026-11-23T09:00:00Z' },
};

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function create(input: Partial<CreateWebhookSubscriptionInput> = {}) {
  const { createWebhookSubscription: result } = await read(server, 'north', CREATE, {
    input: { targetUrl: 'https://lms.example/hooks', eventTypes: ['quest.completed'], ...input },
  });
  if (result.__typename !== 'CreateWebhookSubscriptionPayload') throw new Error(JSON.stringify(result));
  return result;
}

describe('emitEvent', () => {
  test('stores the event with its deliveries and wakes their lanes', async () => {
    const { subscription } = await create({ eventTypes: ['badge.earned'] });
    server.woken.length = 0;
    const { emitEvent } = await read(server, 'north', EMIT, { input: BADGE });
    expect(emitEvent).toEqual({
      __typename: 'EmitEventPayload',
      eventId: expect.any(String),
      type: 'badge.earned',
      deliveryCount: 1,
      deduplicated: false,
      event: { id: expect.any(String), idempotencyKey: null, occurredAt: '2026-11-23T09:30:00.000Z' },
    });
    expect(server.woken).toEqual([NORTH]);
    await read(server, 'north', DELETE, { input: { id: subscription.id } });
  });

  test('answers the first event for the same idempotency key (webhooks rule 2)', async () => {
    const input = { ...BADGE, idempotencyKey: 'once' };
    const { emitEvent: first } = await read(server, 'north', EMIT, { input });
    const { emitEvent: second } = await read(server, 'north', EMIT, { input });
    expect(first).toMatchObject({ deduplicated: false });
    expect(second).toMatchObject({ deduplicated: true, eventId: 'eventId' in first ? first.eventId : '' });
    const { emitEvent: other } = await read(server, 'north', EMIT, {
      input: { ...input, occurredAt: '2020-01-01T00:00:00Z' },
    });
    expect(other).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringMatching(/idempotency key/),
    });
  });

  test('names what does not fit, with paths into the input (webhooks rule 3)', async () => {
    const data = { ...BADGE.data, user_id: '', badge_name: 7 };
    const { emitEvent } = await read(server, 'north', EMIT, { input: { type: 'badge.earned', data } });
    expect(emitEvent).toMatchObject({
      __typename: 'ValidationError',
      message: expect.stringMatching(/^input\.data\.user_id: /),
      faults: [{ path: ['input', 'data', 'user_id'] }, { path: ['input', 'data', 'badge_name'] }],
    });
    const { emitEvent: unknown } = await read(server, 'north', EMIT, { input: { type: 'x', data: {} } });
    expect(unknown).toMatchObject({ faults: [{ path: ['input', 'type'] }] });
    const { emitEvent: keyed } = await read(server, 'north', EMIT, {
      input: { ...BADGE, idempotencyKey: '' },
    });
    expect(keyed).toMatchObject({ faults: [{ path: ['input', 'idempotencyKey'] }] });
  });

  test('says that an event is too large', async () => {
    const data = { ...BADGE.data, more: 'x'.repeat(300_000) };
    const { emitEvent } = await read(server, 'north', EMIT, { input: { ...BADGE, data } });
    expect(emitEvent).toMatchObject({
      __typename: 'PayloadTooLargeError',
      message: expect.stringMatching(/256 KiB/),
    });
  });

  test('is refused without the scope, which the error names', async () => {
    const { emitEvent } = await read(server, 'north-reader', EMIT, { input: BADGE });
    expect(emitEvent).toEqual({
      __typename: 'ForbiddenError',
      message: 'This needs the scope write:events.',
      requiredScope: 'write:events',
    });
  });

  test('is refused for a role that may not', async () => {
    const { emitEvent } = await read(server, 'north-student-token', EMIT, { input: BADGE });
    expect(emitEvent).toMatchObject({ __typename: 'ForbiddenError', requiredScope: null });
  });

  test('does not know another organization (convention 6)', async () => {
    const input = { ...BADGE, organizationId: globalId('Organization', SOUTH) };
    expect((await read(server, 'north', EMIT, { input })).emitEvent.__typename).toBe('NotFoundError');
    const own = { ...BADGE, organizationId: globalId('Organization', NORTH) };
    expect((await read(server, 'north', EMIT, { input: own })).emitEvent.__typename).toBe('EmitEventPayload');
  });

  test('is done although its answer shows less to a token with write:events alone', async () => {
    const { data, errors } = await execute(server, 'north-emitter', EMIT, { input: BADGE });
    expect(data?.emitEvent).toMatchObject({ __typename: 'EmitEventPayload', event: null });
    expect(errors?.[0]?.extensions).toEqual({ code: 'FORBIDDEN', requiredScope: 'read:webhooks' });
  });

  test('without credentials is 401 with a challenge, not a typed error', async () => {
    const { status, headers, data, errors } = await execute(server, undefined, EMIT, { input: BADGE });
    expect({ status, data }).toEqual({ status: 401, data: null });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="test"');
    expect(errors?.[0]?.extensions?.['code']).toBe('UNAUTHENTICATED');
  });
});

describe('emitEvents', () => {
  test('stores all in one go', async () => {
    const { emitEvents } = await read(server, 'north', EMIT_MANY, { input: { events: [BADGE, BADGE] } });
    expect(emitEvents).toMatchObject({ events: [{ type: 'badge.earned' }, { type: 'badge.earned' }] });
  });

  test.for([
    [
      [BADGE, { type: 'badge.earned', data: {} }],
      ['input', 'events', '1', 'data', 'user_id'],
    ],
    [[{ type: 'badge.earned', data: {} }], ['input', 'events', '0', 'data', 'user_id']],
    [[{ type: 'nothing', data: {} }], ['input', 'events', '0', 'type']],
    [[], ['input', 'events']],
  ] as const)('stores none when one does not fit, and says where', async ([events, path]) => {
    const [before] = await server.sql('SELECT count(*) FROM events');
    const { emitEvents } = await read(server, 'north', EMIT_MANY, { input: { events: [...events] } });
    expect(emitEvents).toMatchObject({ __typename: 'ValidationError' });
    expect('faults' in emitEvents ? emitEvents.faults[0]?.path : []).toEqual(path);
    expect(await server.sql('SELECT count(*) FROM events')).toEqual([before]);
  });
});

describe('createWebhookSubscription', () => {
  test('answers the subscription and, this once, its secret; the reads after it see what was committed', async () => {
    const result = await create({
      description: 'Grades',
      customHeaders: [
        { name: 'X-School', value: 'north' },
        { name: 'Authorization', value: 'Bearer abc' },
      ],
      maxConcurrency: 3,
      rateLimitPerSecond: 5,
      retrySeconds: [1, 2],
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
      secrets: [{ expiresAt: null }],
    });
  });

  test('shows custom headers with credentials masked (webhooks rule 11)', async () => {
    const { subscription } = await create({
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
    expect(createWebhookSubscription.__typename).toBe('ValidationError');
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
    const { subscription } = await create({
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
    const { subscription } = await create();
    const input = { id: subscription.id, description: 'After' };
    await read(server, 'north', UPDATE, { input: { ...input, expectedVersion: 1 } });
    const { updateWebhookSubscription } = await read(server, 'north', UPDATE, {
      input: { ...input, description: 'Later', expectedVersion: 1 },
    });
    expect(updateWebhookSubscription).toMatchObject({ __typename: 'ConflictError', currentVersion: 2 });
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
    expect(again.__typename).toBe('NotFoundError');
  });
});

describe('rotateWebhookSecret', () => {
  test('answers the new secret; the old one goes on for the overlap', async () => {
    const { subscription, secret } = await create();
    const { rotateWebhookSecret } = await read(server, 'north', ROTATE, {
      input: { id: subscription.id, overlapSeconds: 60 },
    });
    expect(rotateWebhookSecret).toEqual({
      __typename: 'RotateWebhookSecretPayload',
      secret: expect.stringMatching(/^whsec_/),
      overlapEndsAt: '2026-11-23T09:31:00.000Z',
      subscription: { secrets: [{ expiresAt: null }, { expiresAt: '2026-11-23T09:31:00.000Z' }] },
    });
    expect(rotateWebhookSecret).not.toMatchObject({ secret });
  });

  test('refuses an overlap over a week, with its path', async () => {
    const { subscription } = await create();
    const { rotateWebhookSecret } = await read(server, 'north', ROTATE, {
      input: { id: subscription.id, overlapSeconds: 604_801 },
    });
    expect(rotateWebhookSecret).toMatchObject({ faults: [{ path: ['input', 'overlapSeconds'] }] });
  });
});

describe('Deliveries', () => {
  test('sendTestEvent sends one, even while the subscription is paused', async () => {
    const { subscription } = await create();
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
    expect(paused.__typename).toBe('ConflictError');
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
    expect(answers.map(({ __typename }) => __typename)).toEqual(answers.map(() => 'NotFoundError'));
    const after = await server.sql('SELECT * FROM webhook_subscriptions WHERE id = $1', [subscriptionId]);
    expect(after).toEqual(before);
  });
});

test('several mutations in one document run in turn, each on the result of the one before', async () => {
  const { subscription } = await create();
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
