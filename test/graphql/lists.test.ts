/** Lists: connections, cursors, counts (GraphQL conventions 1, 2). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import type { ListQueryVariables } from '../generated/gql/graphql.ts';
import { graphql } from '../generated/gql/index.ts';
import { execute, read, type Seeded, seedDelivery, startServer, type TestServer } from './support.ts';
import { NORTH, SOUTH } from './viewers.ts';

const LIST = graphql(`
  query List($first: Int, $after: Cursor, $last: Int, $before: Cursor, $filter: DeliveryFilter) {
    organization {
      deliveries(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
        nodes { id uuid createdAt }
        edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
`);

const COUNTS = graphql(`
  query Counts {
    organization {
      deliveries(first: 0) { totalCount { value accuracy } }
      events(first: 0) { totalCount { value accuracy } }
      webhookSubscriptions(first: 0) { totalCount { value accuracy } }
      members(first: 0) { totalCount { value accuracy } }
    }
  }
`);

const SUBSCRIPTIONS = graphql(`
  query Subscriptions($filter: WebhookSubscriptionFilter) {
    organization { webhookSubscriptions(filter: $filter) { nodes { id status } } }
  }
`);

const NESTED = graphql(`
  query NestedDeliveries($filter: DeliveryFilter) {
    organization {
      webhookSubscriptions { nodes { deliveries(filter: $filter) { nodes { id } totalCount { value } } } }
    }
  }
`);

const EVENTS = graphql(`
  query Events($filter: EventFilter) {
    organization { events(filter: $filter, first: 100) { nodes { id type } } }
  }
`);

let server: TestServer;
/** Oldest first. */
const seeded: Seeded[] = [];

beforeAll(async () => {
  server = await startServer();
  for (let index = 0; index < 5; index += 1) seeded.push(await seedDelivery(server, NORTH));
  await seedDelivery(server, SOUTH);
});
afterAll(() => server.close());

const list = async (variables: ListQueryVariables) => {
  const { organization } = await read(server, 'north', LIST, variables);
  const { nodes, edges, pageInfo } = organization?.deliveries ?? {
    nodes: [],
    edges: [],
    pageInfo: undefined,
  };
  return { ids: nodes.map(({ uuid }) => uuid), edges, pageInfo };
};

const newestFirst = () => seeded.map(({ deliveryId }) => deliveryId).toReversed();

describe('Pages (convention 1)', () => {
  test('goes forward, newest first, until nothing is left', async () => {
    const first = await list({ first: 2 });
    expect(first.ids).toEqual(newestFirst().slice(0, 2));
    expect(first.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    const second = await list({ first: 2, after: first.pageInfo?.endCursor });
    expect(second.ids).toEqual(newestFirst().slice(2, 4));
    expect(second.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    const third = await list({ first: 2, after: second.pageInfo?.endCursor });
    expect(third.ids).toEqual(newestFirst().slice(4));
    expect(third.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  });

  test('goes backward from the end, each page newest first', async () => {
    const last = await list({ last: 2 });
    expect(last.ids).toEqual(newestFirst().slice(3));
    expect(last.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    const before = await list({ last: 2, before: last.pageInfo?.startCursor });
    expect(before.ids).toEqual(newestFirst().slice(1, 3));
    expect(before.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  });

  test('gives 20 when no size is asked for, and 100 at most', async () => {
    for (let index = 0; index < 16; index += 1) await seedDelivery(server, SOUTH);
    const south = await read(server, 'south', LIST, {});
    expect(south.organization?.deliveries.nodes).toHaveLength(17);
    await server.sql(
      `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
       SELECT organization_id, optio.uuid_v7(), subscription_id, event_id, event_type, status, due_at
       FROM deliveries, generate_series(1, 10) WHERE organization_id = $1`,
      [SOUTH],
    );
    const page = await read(server, 'south', LIST, {});
    expect(page.organization?.deliveries.nodes).toHaveLength(20);
    const full = await read(server, 'south', LIST, { first: 100 });
    expect(full.organization?.deliveries.nodes).toHaveLength(100);
  });

  test.for([
    ['more than 100', { first: 101 }, /^first: Expected 0 to 100, not 101\.$/],
    ['less than none', { last: -1 }, /^last: Expected 0 to 100, not -1\.$/],
    ['both directions', { first: 1, last: 1 }, /not both/],
    ['a cursor that is none', { after: 'nonsense' }, /^after: Expected a cursor of this list\.$/],
    [
      'a cursor that was changed',
      { before: `${'A'.repeat(21)}B` },
      /^before: Expected a cursor of this list\.$/,
    ],
  ] as const)('refuses %s, and says so', async ([, variables, message]) => {
    const { errors } = await execute(server, 'north', LIST, variables);
    expect(errors).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(message),
        extensions: expect.objectContaining({ code: 'BAD_USER_INPUT' }),
      }),
    ]);
  });
});

describe('Cursors (convention 2)', () => {
  test('lead on when their row is gone', async () => {
    const extra = await seedDelivery(server, NORTH);
    const { edges } = await list({ first: 1 });
    expect(edges[0]?.node.id).toBe(globalId('Delivery', extra.deliveryId));
    await server.sql('DELETE FROM deliveries WHERE id = $1', [extra.deliveryId]);
    const next = await list({ first: 2, after: edges[0]?.cursor });
    expect(next.ids).toEqual(newestFirst().slice(0, 2));
  });

  test('are opaque', async () => {
    const { edges } = await list({ first: 1 });
    expect(edges[0]?.cursor).toMatch(/^[\w-]{22}$/);
  });
});

describe('Counts (convention 1)', () => {
  test('are exact up to 10,000', async () => {
    const { organization } = await read(server, 'north', COUNTS);
    expect(organization).toEqual({
      deliveries: { totalCount: { value: 5, accuracy: 'EXACT' } },
      events: { totalCount: { value: 6, accuracy: 'EXACT' } },
      webhookSubscriptions: { totalCount: { value: 6, accuracy: 'EXACT' } },
      members: { totalCount: { value: 1, accuracy: 'EXACT' } },
    });
  });

  test('say "at least" beyond', async () => {
    await server.sql(
      `INSERT INTO events (organization_id, id, type, occurred_at)
       SELECT $1, optio.uuid_v7(), 'task.completed', now() FROM generate_series(1, 10001)`,
      [SOUTH],
    );
    const { organization } = await read(server, 'south', COUNTS);
    expect(organization?.events.totalCount).toEqual({ value: 10_000, accuracy: 'AT_LEAST' });
  });
});

describe('Filters', () => {
  test('of deliveries hold together', async () => {
    const [oldest] = seeded;
    const subscriptionId = globalId('WebhookSubscription', oldest?.subscriptionId ?? '');
    expect((await list({ filter: { subscriptionId } })).ids).toEqual([oldest?.deliveryId]);
    expect((await list({ filter: { subscriptionId, statuses: ['FAILED'] } })).ids).toEqual([]);
    expect((await list({ filter: { eventType: 'task.completed' } })).ids).toEqual([]);
    const eventId = globalId('Event', oldest?.eventId ?? '');
    expect((await list({ filter: { eventId, statuses: ['PENDING', 'FAILED'] } })).ids).toEqual([
      oldest?.deliveryId,
    ]);
  });

  test('by the id of something else match nothing', async () => {
    const [oldest] = seeded;
    expect(
      (await list({ filter: { subscriptionId: globalId('Event', oldest?.eventId ?? '') } })).ids,
    ).toEqual([]);
  });

  test('by a text with NUL, which the database cannot hold, match nothing', async () => {
    const eventType = 'badge.earned\0';
    const { organization } = await read(server, 'north', LIST, { filter: { eventType } });
    expect(organization?.deliveries.nodes).toEqual([]);
    const subscriptions = await read(server, 'north', SUBSCRIPTIONS, { filter: { eventType: '\0' } });
    expect(subscriptions.organization?.webhookSubscriptions.nodes.length).toBeGreaterThanOrEqual(0);
    const events = await read(server, 'north', EVENTS, { filter: { types: ['\0', '\0badge.earned'] } });
    expect(events.organization?.events.nodes).toEqual([]);
    const nested = await execute(server, 'north', NESTED, { filter: { eventType } });
    expect(nested.errors).toBeUndefined();
  });

  test('of subscriptions and events', async () => {
    await server.sql(`UPDATE webhook_subscriptions SET status = 'PAUSED' WHERE id = $1`, [
      seeded[0]?.subscriptionId,
    ]);
    const paused = await read(server, 'north', SUBSCRIPTIONS, { filter: { active: false } });
    expect(paused.organization?.webhookSubscriptions.nodes).toEqual([
      { id: globalId('WebhookSubscription', seeded[0]?.subscriptionId ?? ''), status: 'PAUSED' },
    ]);
    const events = await read(server, 'north', EVENTS, { filter: { types: ['badge.earned'] } });
    expect(events.organization?.events.nodes).toHaveLength(6);
    const none = await read(server, 'north', EVENTS, { filter: { until: '2020-01-01T00:00:00Z' } });
    expect(none.organization?.events.nodes).toEqual([]);
  });
});
