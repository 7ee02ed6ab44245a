/** The live stream from emit to client, over the real log (GraphQL convention 9; webhooks rules 36 to 39). */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { globalId } from '../../src/graphql/global-id.ts';
import { exampleEvent, openWorld, type World } from '../support/world.ts';
import { kindOf, post, startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

let world: World;
let server: TestServer;

beforeAll(async () => {
  world = await openWorld();
  // The stream goes by the clock of its world.
  const expiresAt = new Date(world.clock.now().getTime() + 3_600_000);
  server = await startServer(
    ({ authenticate }) => ({
      subscribeToUpdates: world.updates.subscribe,
      authenticate: async (headers) => {
        const viewer = await authenticate(headers);
        return viewer === null ? null : { ...viewer, expiresAt };
      },
    }),
    world.database,
  );
});
afterAll(async () => {
  await server.close();
  await world.close();
});

const FOLLOW = `subscription ($organizationId: ID!, $after: Cursor) {
  deliveryUpdates(organizationId: $organizationId, after: $after) {
    __typename
    ... on StreamReady { cursor }
    ... on DeliveryUpdated { cursor deliveryId status version }
  }
}`;

type Item = { readonly __typename: string; readonly cursor: string; readonly deliveryId?: string };

function follow(after?: string) {
  const client = createClient({
    url: server.webSocketUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: 'Bearer north' },
  });
  const items = client.iterate<{ deliveryUpdates: Item }>({
    query: FOLLOW,
    variables: { organizationId: globalId('Organization', NORTH), ...(after === undefined ? {} : { after }) },
  });
  const next = async (): Promise<Item> => {
    const { value } = await items.next();
    if (value?.data?.deliveryUpdates === undefined) throw new Error(JSON.stringify(value));
    return value.data.deliveryUpdates;
  };
  return { client, next };
}

async function emit(): Promise<void> {
  const { errors } = await post(server, 'north', {
    query:
      'mutation ($input: EmitEventInput!) { emitEvent(input: $input) { ... on EmitEventPayload { eventId } } }',
    variables: { input: exampleEvent() },
  });
  expect(errors).toBeUndefined();
}

test('carries what is emitted, and after a cut everything that was missed, once', async () => {
  const { errors } = await post(server, 'north', {
    query: `mutation ($input: CreateWebhookSubscriptionInput!) {
      createWebhookSubscription(input: $input) { ... on CreateWebhookSubscriptionPayload { secret } }
    }`,
    variables: { input: { targetUrl: 'https://lms.example/hooks', eventTypes: ['*'] } },
  });
  expect(errors).toBeUndefined();

  const before = follow();
  expect(kindOf(await before.next())).toBe('StreamReady');
  await emit();
  const first = await before.next();
  expect(first).toMatchObject({ __typename: 'DeliveryUpdated', status: 'PENDING', version: 1 });
  before.client.terminate();
  await expect.poll(() => world.updates.subscriberCount()).toBe(0);

  await emit();
  await emit();
  const after = follow(first.cursor);
  expect(kindOf(await after.next())).toBe('StreamReady');
  const missed = [await after.next(), await after.next()];
  await emit();
  const live = await after.next();
  const ids = [first, ...missed, live].map(({ deliveryId }) => deliveryId);
  expect(new Set(ids).size).toBe(4);
  await after.client.dispose();
  await expect.poll(() => world.updates.subscriberCount()).toBe(0);
});

test('refuses a cursor that is none before anything is opened, with its path', async () => {
  const client = createClient({
    url: server.webSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: 'Bearer north' },
  });
  const variables = { organizationId: globalId('Organization', NORTH), after: 'nonsense' };
  const { value } = await client.iterate({ query: FOLLOW, variables }).next();
  expect(value?.errors?.[0]?.extensions).toEqual({
    code: 'BAD_USER_INPUT',
    faults: [{ path: ['after'], message: 'Expected a cursor as the stream gave it.' }],
  });
  expect(world.updates.subscriberCount()).toBe(0);
  await client.dispose();
});
