/** Replays in GraphQL; what they do is tested beside the feature. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { RETRY } from './operations.ts';
import { kindOf, read, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH, SOUTH } from './viewers.ts';

const REPLAY_ONE = graphql(`
  mutation ReplayOne($input: ReplayDeliveryInput!) {
    replayDelivery(input: $input) {
      __typename
      ... on ReplayDeliveryPayload { deduplicated delivery { id status replayOf { id } replay { id } } }
      ... on Error { message }
    }
  }
`);
const REPLAY_MANY = graphql(`
  mutation ReplayMany($input: ReplayDeliveriesInput!) {
    replayDeliveries(input: $input) {
      __typename
      ... on ReplayDeliveriesPayload {
        deduplicated
        replay { id state total replayed statuses subscriptionId clientId waiting { value } failed { value } succeeded { value } }
      }
      ... on ValidationError { faults { path message } }
      ... on Error { message }
    }
  }
`);
const CANCEL_REPLAY = graphql(`
  mutation CancelReplay($input: CancelReplayInput!) {
    cancelReplay(input: $input) {
      __typename
      ... on CancelReplayPayload { replay { id state endedAt } }
      ... on Error { message }
    }
  }
`);
const REPLAYS = graphql(`
  query Replays($filter: ReplayFilter!) {
    organization {
      replayPreview(filter: $filter) { count isExact }
      replays { totalCount { value } nodes { id state total } }
    }
  }
`);

let server: TestServer;
let ids: { deliveryId: string; subscriptionId: string };

beforeAll(async () => {
  server = await startServer();
  ids = await seedDelivery(server, NORTH);
  await server.sql("UPDATE deliveries SET status = 'FAILED', due_at = NULL, completed_at = now()");
  // What is replayed was made before now.
  server.clock.advance(Date.now() + 60_000 - server.clock.now().getTime());
});
afterAll(() => server.close());

test('replayDelivery makes a new delivery, once for a key; retryDelivery of a success says that this is what to do (rule 24)', async () => {
  const input = { id: globalId('Delivery', ids.deliveryId), idempotencyKey: 'one' };
  const { replayDelivery } = await read(server, 'north', REPLAY_ONE, { input });
  expect(replayDelivery).toMatchObject({
    deduplicated: false,
    delivery: { status: 'PENDING', replayOf: { id: input.id }, replay: null },
  });
  const { replayDelivery: again } = await read(server, 'north', REPLAY_ONE, { input });
  expect(again).toMatchObject({ deduplicated: true });
  await server.sql(
    "UPDATE deliveries SET status = 'SUCCEEDED', due_at = NULL, completed_at = now() WHERE replay_of_id IS NOT NULL",
  );
  const [made] = await server.sql('SELECT id FROM deliveries WHERE replay_of_id IS NOT NULL');
  const id = globalId('Delivery', String(made?.['id']));
  const { retryDelivery } = await read(server, 'north', RETRY, { input: { id } });
  expect(retryDelivery).toMatchObject({
    __typename: 'ConflictError',
    message: expect.stringContaining('replay'),
  });
  await server.sql('DELETE FROM deliveries WHERE replay_of_id IS NOT NULL');
});

test('a replay is counted first, started once for a key, listed, and cancelled', async () => {
  const subscriptionId = globalId('WebhookSubscription', ids.subscriptionId);
  const filter = { statuses: ['FAILED' as const], subscriptionId };
  const { organization } = await read(server, 'north', REPLAYS, { filter });
  expect(organization).toMatchObject({ replayPreview: { count: 1, isExact: true }, replays: { nodes: [] } });

  const input = { filter, idempotencyKey: 'many' };
  const { replayDeliveries } = await read(server, 'north', REPLAY_MANY, { input });
  expect(replayDeliveries).toMatchObject({
    deduplicated: false,
    replay: {
      state: 'RUNNING',
      total: 1,
      replayed: 0,
      statuses: ['FAILED'],
      subscriptionId,
      clientId: 'client-a',
      waiting: { value: 0 },
      failed: { value: 0 },
      succeeded: { value: 0 },
    },
  });
  const { replayDeliveries: again } = await read(server, 'north', REPLAY_MANY, { input });
  expect(again).toMatchObject({ deduplicated: true });
  const { organization: listed } = await read(server, 'north', REPLAYS, { filter });
  expect(listed?.replays).toMatchObject({
    totalCount: { value: 1 },
    nodes: [{ state: 'RUNNING', total: 1 }],
  });

  const cancel = { input: { id: listed?.replays.nodes[0]?.id ?? '' } };
  const { cancelReplay } = await read(server, 'north', CANCEL_REPLAY, cancel);
  expect(cancelReplay).toMatchObject({ replay: { state: 'CANCELLED', endedAt: expect.any(String) } });
  const { cancelReplay: repeated } = await read(server, 'north', CANCEL_REPLAY, cancel);
  expect(repeated).toEqual(cancelReplay);
  const { cancelReplay: foreign } = await read(server, 'south', CANCEL_REPLAY, cancel);
  expect(kindOf(foreign)).toBe('NotFoundError');
});

test('what does not fit is named where it stands in the input', async () => {
  const { replayDeliveries } = await read(server, 'north', REPLAY_MANY, {
    input: { filter: { eventTypes: ['x'] }, ratePerSecond: 5_000 },
  });
  expect(replayDeliveries).toMatchObject({
    faults: [
      { path: ['input', 'filter', 'eventTypes'] },
      { path: ['input', 'ratePerSecond'] },
      { path: ['input', 'filter', 'statuses'] },
    ],
  });
  const { deliveryId } = await seedDelivery(server, SOUTH);
  const { replayDelivery } = await read(server, 'north', REPLAY_ONE, {
    input: { id: globalId('Delivery', deliveryId) },
  });
  expect(kindOf(replayDelivery)).toBe('NotFoundError');
});
