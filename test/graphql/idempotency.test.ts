/** Mutations that can be sent again (GraphQL convention 4): idempotency keys, expected versions, conflicts. */
import { isInputObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { CANCEL, CREATE, createSubscription, DELETE, RETRY, ROTATE, SEND_TEST } from './operations.ts';
import { kindOf, read, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** How the mutations that are there can be sent again; one that is new has to be put here. */
const SAFE_TO_REPEAT = {
  idempotencyKey: [
    'createBadge',
    'createQuest',
    'createWebhookSubscription',
    'emitEvent',
    'inviteMember',
    'registerOAuthClient',
    'replayDeliveries',
    'replayDelivery',
    'rotateOAuthClientSecret',
    'rotateWebhookSecret',
    'sendTestEvent',
    'submitTask',
  ],
  /**
   * Ending what has ended already ends nothing; an invitation is not mailed twice within five minutes; what was started,
   * completed, reviewed or awarded is so.
   */
  byNature: [
    'awardBadge',
    'cancelReplay',
    'completeTask',
    'endOtherSessions',
    'endSession',
    'removeMember',
    'resendInvitation',
    'resetSecondFactor',
    'reviewSubmission',
    'revokeConnectedApp',
    'revokeInvitation',
    'revokeOAuthConsent',
    'revokeOAuthConsents',
    'startQuest',
  ],
  /** Of each event of the batch. */
  keyOfEachItem: ['emitEvents'],
  expectedVersion: [
    'cancelDelivery',
    'changeMemberRole',
    'changeQuestStatus',
    'deleteOAuthClient',
    'deleteWebhookSubscription',
    'endOAuthClientSecretOverlap',
    'recordGrade',
    'resumeOAuthClient',
    'retryDelivery',
    'reviewOAuthClient',
    'rotateOAuthClientSecret',
    'rotateWebhookSecret',
    'suspendOAuthClient',
    'updateOAuthClient',
    'updateQuest',
    'updateRetention',
    'updateWebhookSubscription',
  ],
};

test('Every mutation takes an idempotency key or an expected version, or can be repeated by its nature', () => {
  const schema = createSchema();
  const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
  const having = (name: string) =>
    fields
      .filter(({ args }) => {
        const input = args[0] === undefined ? undefined : schema.getType(String(args[0].type).slice(0, -1));
        return isInputObjectType(input) && name in input.getFields();
      })
      .map((field) => field.name)
      .toSorted();
  expect(having('idempotencyKey')).toEqual(SAFE_TO_REPEAT.idempotencyKey);
  expect(having('expectedVersion')).toEqual(SAFE_TO_REPEAT.expectedVersion);
  const all = new Set(Object.values(SAFE_TO_REPEAT).flat());
  expect(fields.map(({ name }) => name).filter((name) => !all.has(name))).toEqual([]);
});

describe('createWebhookSubscription with an idempotency key', () => {
  const input = {
    targetUrl: 'https://lms.example/once',
    eventTypes: ['quest.completed'],
    customHeaders: [{ name: 'Authorization', value: 'Bearer abc' }],
    idempotencyKey: 'create-once',
  };

  test('creates one, and answers the same secret to who lost the first answer', async () => {
    const { createWebhookSubscription: first } = await read(server, 'north', CREATE, { input });
    const { createWebhookSubscription: again } = await read(server, 'north', CREATE, { input });
    expect(first).toMatchObject({ secret: expect.stringMatching(/^whsec_/), deduplicated: false });
    expect(again).toEqual({ ...first, deduplicated: true });
    const rows = await server.sql('SELECT FROM webhook_subscriptions WHERE target_url = $1', [
      input.targetUrl,
    ]);
    expect(rows).toHaveLength(1);
  });

  test('is a conflict when something else is asked for', async () => {
    const other = { ...input, targetUrl: 'https://lms.example/twice' };
    const { createWebhookSubscription } = await read(server, 'north', CREATE, { input: other });
    expect(createWebhookSubscription).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringMatching(/idempotency key/),
    });
  });

  test('is not found when what was created is deleted since', async () => {
    const own = { ...input, idempotencyKey: 'create-deleted' };
    const { createWebhookSubscription: first } = await read(server, 'north', CREATE, { input: own });
    const id = 'subscription' in first ? first.subscription.id : '';
    await read(server, 'north', DELETE, { input: { id } });
    const { createWebhookSubscription: again } = await read(server, 'north', CREATE, { input: own });
    expect(kindOf(again)).toBe('NotFoundError');
  });

  test('says what a key is', async () => {
    const { createWebhookSubscription } = await read(server, 'north', CREATE, {
      input: { ...input, idempotencyKey: '' },
    });
    expect(createWebhookSubscription).toMatchObject({ faults: [{ path: ['input', 'idempotencyKey'] }] });
  });
});

test('rotateWebhookSecret with an idempotency key rotates once', async () => {
  const { subscription } = await createSubscription(server);
  const input = { id: subscription.id, idempotencyKey: 'rotate-once', expectedVersion: 1 };
  const { rotateWebhookSecret: first } = await read(server, 'north', ROTATE, { input });
  const { rotateWebhookSecret: again } = await read(server, 'north', ROTATE, { input });
  expect(first).toMatchObject({ __typename: 'RotateWebhookSecretPayload', deduplicated: false });
  // Although the version is another one by now.
  expect(again).toEqual({ ...first, deduplicated: true });
  const { rotateWebhookSecret: late } = await read(server, 'north', ROTATE, {
    input: { id: subscription.id, expectedVersion: 1 },
  });
  expect(kindOf(late)).toBe('ConflictError');
});

test('sendTestEvent with an idempotency key sends once', async () => {
  const { subscription } = await createSubscription(server);
  const input = { subscriptionId: subscription.id, idempotencyKey: 'test-once' };
  const { sendTestEvent: first } = await read(server, 'north', SEND_TEST, { input });
  const { sendTestEvent: again } = await read(server, 'north', SEND_TEST, { input });
  expect(first).toMatchObject({ __typename: 'SendTestEventPayload', deduplicated: false });
  expect(again).toEqual({ ...first, deduplicated: true });
});

test('deliveries and deletions answer another version with the current one, and change nothing', async () => {
  const { deliveryId, subscriptionId } = await seedDelivery(server, NORTH);
  const id = globalId('Delivery', deliveryId);
  const { retryDelivery } = await read(server, 'north', RETRY, { input: { id, expectedVersion: 7 } });
  expect(retryDelivery).toEqual({
    __typename: 'ConflictError',
    message: 'The delivery was changed meanwhile: it has version 1, not 7.',
    currentVersion: 1,
    current: { status: 'PENDING', version: 1 },
  });
  const { cancelDelivery } = await read(server, 'north', CANCEL, { input: { id, expectedVersion: 7 } });
  expect(kindOf(cancelDelivery)).toBe('ConflictError');
  const { deleteWebhookSubscription } = await read(server, 'north', DELETE, {
    input: { id: globalId('WebhookSubscription', subscriptionId), expectedVersion: 7 },
  });
  expect(kindOf(deleteWebhookSubscription)).toBe('ConflictError');
  const { cancelDelivery: meant } = await read(server, 'north', CANCEL, {
    input: { id, expectedVersion: 1 },
  });
  expect(meant).toMatchObject({ delivery: { status: 'CANCELLED' } });
});
