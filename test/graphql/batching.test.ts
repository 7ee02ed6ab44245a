/** What lists of lists cost (GraphQL convention 12 and the traps of nested lists): statements and rows, not by parent. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { countStatements, execute, post, read, startServer, type TestServer } from './support.ts';
import { NORTH } from './viewers.ts';

const HOT_PAGE = graphql(`
  query HotPage($first: Int!) {
    organization {
      deliveries(first: $first) {
        nodes {
          id status eventType attemptCount createdAt
          subscription { id targetUrl }
          attempts(first: 3) { number startedAt durationMs responseCode error }
        }
      }
    }
  }
`);

const DELIVERIES = graphql(`
  query DeliveriesWithAll($first: Int!) {
    organization {
      deliveries(first: $first) {
        nodes {
          event { id type data }
          subscription { id }
          attempts(first: 2) { number requestHeaders { name } responseBody }
          replayOf { id }
        }
      }
    }
  }
`);

const EVENTS = graphql(`
  query EventsWithDeliveries($first: Int!) {
    organization { events(first: $first) { nodes { id deliveries(first: 2) { id subscription { id } } } } }
  }
`);

const SUBSCRIPTIONS = graphql(`
  query SubscriptionsWithAll($first: Int!) {
    organization {
      webhookSubscriptions(first: $first) {
        nodes {
          id
          health { consecutiveFailures }
          secrets { createdAt }
          deliveries(first: 2) { nodes { id } totalCount { value } pageInfo { hasNextPage } }
        }
      }
    }
  }
`);

const NODES = graphql(`
  query ManyNodes($ids: [ID!]!) { nodes(ids: $ids) { id } }
`);

const MEMBERS = graphql(`
  query ManyMembers { organization { members(first: 100) { nodes { user { name } } } } }
`);

const PARENTS = 120;

let server: TestServer;

/** 120 subscriptions and events; each event goes to its own subscription three times; each delivery has 4 attempts. */
beforeAll(async () => {
  server = await startServer();
  await server.sql(
    `WITH parents AS (
       SELECT optio.uuid_v7() AS subscription_id, optio.uuid_v7() AS event_id FROM generate_series(1, $2::int)
     ), subscriptions AS (
       INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
       SELECT $1, subscription_id, 'https://lms.example/hooks', '{*}' FROM parents RETURNING id
     ), secrets AS (
       INSERT INTO webhook_secrets (organization_id, id, subscription_id, sealed)
       SELECT $1, optio.uuid_v7(), id, '' FROM subscriptions
     ), health AS (
       INSERT INTO webhook_subscription_health (organization_id, subscription_id, consecutive_failures)
       SELECT $1, id, 7 FROM subscriptions
     ), events AS (
       INSERT INTO events (organization_id, id, type, occurred_at, body)
       SELECT $1, event_id, 'badge.earned', now(), '{"data":{}}' FROM parents
     ), deliveries AS (
       INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at)
       SELECT $1, optio.uuid_v7(), subscription_id, event_id, 'badge.earned', 'PENDING', now()
       FROM parents, generate_series(1, 3) RETURNING id
     )
     INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, total_ms, request_headers)
     SELECT $1, id, n, now(), 1, '[]' FROM deliveries, generate_series(1, 4) AS n`,
    [NORTH, PARENTS],
  );
  await server.sql(
    `WITH people AS (
       INSERT INTO users (id, email, name) SELECT optio.uuid_v7(), 'p' || n || '@north.example', 'P' || n
       FROM generate_series(1, 60) AS n RETURNING id
     ) INSERT INTO memberships (organization_id, user_id, role) SELECT $1, id, 'STUDENT' FROM people`,
    [NORTH],
  );
});
afterAll(() => server.close());
afterEach(() => vi.restoreAllMocks());

describe.for([1, 10, 100])('With %i parents', (first) => {
  test('the hot page of deliveries costs three statements', async () => {
    const statements = await countStatements(() => read(server, 'north', HOT_PAGE, { first }));
    // One delivery more than the page, their subscriptions, and three attempts each.
    expect(statements.count).toBe(3);
    expect(statements.rows).toBeLessThanOrEqual(first + 1 + first + 3 * first);
  });

  test('everything that belongs to deliveries costs one statement for each kind', async () => {
    const statements = await countStatements(() => read(server, 'north', DELIVERIES, { first }));
    // Deliveries, events, their bodies, subscriptions, attempts, what these sent and received.
    expect(statements.count).toBe(6);
    expect(statements.rows).toBeLessThanOrEqual(first + 1 + 3 * first + 4 * first);
  });

  test('deliveries of events cost one statement, and no row over their limit', async () => {
    const { organization } = await read(server, 'north', EVENTS, { first });
    const found = organization?.events.nodes.map(({ deliveries }) => deliveries.length) ?? [];
    expect(found).toEqual(Array.from({ length: first }, () => 2));
    const statements = await countStatements(() => read(server, 'north', EVENTS, { first }));
    // The list asks each event for one delivery more than it shows.
    expect(statements).toEqual({ count: 3, rows: first + 1 + 3 * first + first });
  });

  test('subscriptions with their deliveries, counts, health and secrets', async () => {
    const { organization } = await read(server, 'north', SUBSCRIPTIONS, { first });
    expect(organization?.webhookSubscriptions.nodes).toHaveLength(first);
    for (const node of organization?.webhookSubscriptions.nodes ?? []) {
      expect(node).toMatchObject({
        health: { consecutiveFailures: 7 },
        secrets: [{}],
        deliveries: { nodes: [{}, {}], totalCount: { value: 3 }, pageInfo: { hasNextPage: true } },
      });
    }
    const statements = await countStatements(() => read(server, 'north', SUBSCRIPTIONS, { first }));
    expect(statements.count).toBeLessThanOrEqual(7);
    expect(statements.rows).toBeLessThanOrEqual(1 + (first + 1) + 3 * first + first + 3 * first);
  });
});

test('nodes of one type cost one statement', async () => {
  const rows = await server.sql('SELECT id FROM deliveries LIMIT 100');
  const ids = rows.map(({ id }) => globalId('Delivery', String(id)));
  const statements = await countStatements(() => read(server, 'north', NODES, { ids }));
  expect(statements).toEqual({ count: 1, rows: 100 });
});

test('members cost one statement for all their users', async () => {
  const statements = await countStatements(() => read(server, 'north', MEMBERS));
  expect(statements.count).toBe(2);
});

test.for([101, -1])('a nested list of %i is refused', async (first) => {
  const { errors } = await post(server, 'north', {
    query: `{ organization { events { nodes { deliveries(first: ${first}) { id } } } } }`,
  });
  expect(errors?.[0]).toMatchObject({
    message: `first: Expected 0 to 100, not ${first}.`,
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

describe('What is asked of the deliveries of a page is loaded with it', () => {
  const ask = async (query: string, variables: object = {}) => {
    const answers: unknown[] = [];
    const { count } = await countStatements(async () => {
      answers.push((await post(server, 'north', { query, variables })).data);
    });
    return { count, text: JSON.stringify(answers) };
  };
  const PAGE = 'organization { deliveries(first: 3)';

  test('under nodes and edges, through fragments, with variables and aliases', async () => {
    const { count, text } = await ask(
      `query ($first: Int!) { ${PAGE} { nodes { ...Asked } edges { node { ... on Delivery { to: subscription { id } } } } } } }
       fragment Asked on Delivery { last: attempts(first: $first) { number } }`,
      { first: 1 },
    );
    expect(count).toBe(3);
    expect(text.match(/"last":\[{"number":4}\]/g)).toHaveLength(3);
    expect(text.match(/"to":{"id":"/g)).toHaveLength(3);
  });

  test('and nothing that is not asked', async () => {
    const query = `query ($not: Boolean!) { ${PAGE} { nodes { id attempts @skip(if: $not) { number } } pageInfo { hasNextPage } } } }`;
    expect((await ask(query, { not: true })).count).toBe(1);
    expect((await ask(query, { not: false })).count).toBe(2);
  });

  test('what cannot be asked is refused where it is asked', async () => {
    const query = `{ ${PAGE} { nodes { attempts(first: 101) { number } } } } }`;
    const { errors } = await post(server, 'north', { query });
    expect(errors?.[0]).toMatchObject({
      message: 'first: Expected 0 to 100, not 101.',
      path: ['organization', 'deliveries', 'nodes', expect.any(Number), 'attempts'],
    });
  });
});

describe('One read-only transaction per operation (convention 12)', () => {
  test('is opened by the first read, and only once', async () => {
    const opened = vi.spyOn(server.tenancy, 'read');
    await read(server, 'north', HOT_PAGE, { first: 5 });
    expect(opened).toHaveBeenCalledTimes(1);
  });

  test('is not opened by an operation that reads nothing', async () => {
    const opened = vi.spyOn(server.tenancy, 'read');
    await post(server, 'north', { query: '{ __typename eventTypes { name } viewer { role } }' });
    expect(opened).not.toHaveBeenCalled();
  });

  test('is ended when the operation is, also by an error: no connection is kept', async () => {
    // The pool has 4 connections.
    for (let index = 0; index < 10; index += 1) {
      await execute(server, 'north', HOT_PAGE, { first: 101 });
      await post(server, 'north', {
        query: '{ a: organization { slug } organization { deliveries(after: "?") { nodes { id } } } }',
      });
    }
    expect((await read(server, 'north', HOT_PAGE, { first: 1 })).organization).not.toBeNull();
  });

  test('serves more operations at a time than there are connections', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => execute(server, 'north', HOT_PAGE, { first: 3 })),
    );
    expect(answers.map(({ errors }) => errors)).toEqual(answers.map(() => undefined));
  });
});
