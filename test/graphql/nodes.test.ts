/** Ids and isolation (GraphQL conventions 1 and 6), the viewer, and what its scopes show. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { graphql } from '../generated/gql/index.ts';
import { execute, kindOf, read, type Seeded, seedDelivery, startServer, type TestServer } from './support.ts';
import { ADMIN_ID, NORTH, SOUTH } from './viewers.ts';

const NODE = graphql(`
  query Node($id: ID!) {
    node(id: $id) { __typename id }
  }
`);

const NODES = graphql(`
  query Nodes($ids: [ID!]!) {
    nodes(ids: $ids) { __typename id }
  }
`);

const ORGANIZATION = graphql(`
  query Organization($id: ID, $slug: String) {
    organization(id: $id, slug: $slug) { id slug name }
  }
`);

const VIEWER = graphql(`
  query Viewer {
    viewer { role clientId scopes expiresAt organization { slug } user { id name email } }
  }
`);

const MEMBERS = graphql(`
  query Members {
    organization { members { nodes { id role user { name email } } } }
  }
`);

const EVENT_DATA = graphql(`
  query EventData($id: ID!) {
    node(id: $id) { ... on Event { type data body } }
  }
`);

const ATTEMPT = graphql(`
  query Attempt($id: ID!) {
    node(id: $id) {
      ... on DeliveryAttempt {
        number durationMs responseCode errorKind error responseBody
        timing { totalMs dnsMs }
        requestHeaders { name value }
        responseHeaders { name value }
      }
    }
  }
`);

const SUBSCRIPTION = graphql(`
  query SubscriptionDetails($id: ID!) {
    node(id: $id) {
      ... on WebhookSubscription {
        targetUrl eventTypes status version retrySeconds
        organization { slug }
        health { consecutiveFailures failingSince }
        secrets { createdAt expiresAt }
        customHeaders { name value }
      }
    }
  }
`);

const CATALOGUES = graphql(`
  query Catalogues { eventTypes { name version description jsonSchema example } scopes { name description risk } }
`);

const SCOPES = graphql(`
  query Scopes { scopes { name } }
`);

let server: TestServer;
let north: Seeded;
let south: Seeded;

beforeAll(async () => {
  server = await startServer();
  north = await seedDelivery(server, NORTH, 2);
  south = await seedDelivery(server, SOUTH, 1);
});
afterAll(() => server.close());

const idsOf = ({ subscriptionId, eventId, deliveryId }: Seeded, organizationId: string) => [
  globalId('WebhookSubscription', subscriptionId),
  globalId('Event', eventId),
  globalId('Delivery', deliveryId),
  globalId('DeliveryAttempt', `${deliveryId}:1`),
  globalId('Organization', organizationId),
];

describe('Global ids (convention 1)', () => {
  test('lead to every type of node', async () => {
    const ids = [...idsOf(north, NORTH), globalId('User', ADMIN_ID), globalId('Membership', ADMIN_ID)];
    const { nodes } = await read(server, 'north', NODES, { ids });
    expect(nodes).toEqual([
      { __typename: 'WebhookSubscription', id: ids[0] },
      { __typename: 'Event', id: ids[1] },
      { __typename: 'Delivery', id: ids[2] },
      { __typename: 'DeliveryAttempt', id: ids[3] },
      { __typename: 'Organization', id: ids[4] },
      { __typename: 'User', id: ids[5] },
      { __typename: 'Membership', id: ids[6] },
    ]);
    for (const id of ids) {
      const { node } = await read(server, 'north', NODE, { id });
      expect(node?.id).toBe(id);
    }
  });

  test('are at most 100 at a time', async () => {
    const { errors } = await execute(server, 'north', NODES, { ids: Array.from({ length: 101 }, () => 'x') });
    expect(errors?.[0]).toMatchObject({
      message: 'ids: Expected at most 100 ids.',
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });

  test.for([
    'nonsense',
    '',
    globalId('Delivery', 'nonsense'),
    globalId('DeliveryAttempt', `${NORTH}:x`),
    globalId('User', "'; DROP TABLE users; --"),
    Buffer.from('WebhookSecret:019a0000-0000-7000-8000-00000000000a').toString('base64url'),
  ])('that are none (%s) lead to null', async (id) => {
    const { node } = await read(server, 'north', NODE, { id });
    expect(node).toBeNull();
  });
});

describe('Another organization (convention 6)', () => {
  test('is not there: not its organization, subscriptions, events, deliveries, attempts', async () => {
    const { nodes } = await read(server, 'north', NODES, { ids: idsOf(south, SOUTH) });
    expect(nodes).toEqual([null, null, null, null, null]);
  });

  test('has its own things, and does not see a member of another one', async () => {
    const { nodes } = await read(server, 'south', NODES, {
      ids: [...idsOf(south, SOUTH), globalId('User', ADMIN_ID), globalId('Membership', ADMIN_ID)],
    });
    expect(nodes.map(kindOf)).toEqual([
      'WebhookSubscription',
      'Event',
      'Delivery',
      'DeliveryAttempt',
      'Organization',
      undefined,
      undefined,
    ]);
  });

  test('is null by id and by slug', async () => {
    expect(await read(server, 'north', ORGANIZATION, { slug: 'south' })).toEqual({ organization: null });
    const id = globalId('Organization', SOUTH);
    expect(await read(server, 'north', ORGANIZATION, { id })).toEqual({ organization: null });
    const own = { id: globalId('Organization', NORTH), slug: 'north', name: 'North' };
    expect(await read(server, 'north', ORGANIZATION, {})).toEqual({ organization: own });
    expect(await read(server, 'north', ORGANIZATION, own)).toEqual({ organization: own });
  });

  test('a deleted subscription is null, too', async () => {
    const { subscriptionId } = await seedDelivery(server, NORTH);
    await server.sql('UPDATE webhook_subscriptions SET deleted_at = now() WHERE id = $1', [subscriptionId]);
    const { node } = await read(server, 'north', NODE, {
      id: globalId('WebhookSubscription', subscriptionId),
    });
    expect(node).toBeNull();
  });
});

describe('The viewer', () => {
  test('is a client that acts for its organization', async () => {
    const { viewer } = await read(server, 'north', VIEWER);
    expect(viewer).toEqual({
      role: 'CLIENT',
      clientId: 'client-a',
      scopes: ['write:webhooks', 'read:events', 'write:events', 'read', 'write'],
      expiresAt: '2026-11-23T10:30:00.000Z',
      organization: { slug: 'north' },
      user: null,
    });
  });

  test('is a person in a session', async () => {
    const { viewer } = await read(server, 'north-admin', VIEWER);
    expect(viewer).toMatchObject({
      role: 'ADMIN',
      clientId: null,
      scopes: null,
      user: { id: globalId('User', ADMIN_ID), name: 'Lin', email: 'lin@north.example' },
    });
  });

  test('is null without credentials, who may read the scopes and nothing else', async () => {
    expect(await execute(server, undefined, VIEWER)).toMatchObject({ status: 200, data: { viewer: null } });
    expect((await execute(server, undefined, SCOPES)).data?.scopes).toHaveLength(16);
    const refused = await execute(server, undefined, CATALOGUES);
    expect(refused.status).toBe(401);
  });
});

describe('Scopes and roles', () => {
  test('show members to who may see people', async () => {
    const members = [{ role: 'ADMIN', user: { name: 'Lin', email: 'lin@north.example' } }];
    for (const token of ['north', 'north-admin']) {
      const { organization } = await read(server, token, MEMBERS);
      expect(organization?.members.nodes).toMatchObject(members);
    }
    const { errors } = await execute(server, 'north-reader', MEMBERS);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', requiredScope: 'read:users' });
  });

  test('show what an event contains to read:events only; the rest of it stays', async () => {
    const id = globalId('Event', north.eventId);
    expect((await read(server, 'north', EVENT_DATA, { id })).node).toEqual({
      type: 'badge.earned',
      data: { user_id: 'ada' },
      body: '{"event":"badge.earned","data":{"user_id":"ada"}}',
    });
    const { data, errors } = await execute(server, 'north-reader', EVENT_DATA, { id });
    expect(data?.node).toEqual({ type: 'badge.earned', data: null, body: null });
    expect(errors).toHaveLength(2);
    expect(errors?.[0]).toMatchObject({
      path: ['node', 'data'],
      extensions: { code: 'FORBIDDEN', requiredScope: 'read:events' },
    });
  });

  test('show no data of an event past its retention, without an error', async () => {
    const { eventId } = await seedDelivery(server, NORTH);
    await server.sql('UPDATE events SET body = NULL WHERE id = $1', [eventId]);
    const { node } = await read(server, 'north', EVENT_DATA, { id: globalId('Event', eventId) });
    expect(node).toEqual({ type: 'badge.earned', data: null, body: null });
  });

  test.for([
    ['north-nothing', { code: 'FORBIDDEN', requiredScope: 'read:webhooks' }],
    ['north-student', { code: 'FORBIDDEN' }],
    ['north-student-token', { code: 'FORBIDDEN' }],
  ] as const)('keep %s from webhooks', async ([token, extensions]) => {
    for (const id of idsOf(north, NORTH).slice(0, 4)) {
      const { data, errors, status } = await execute(server, token, NODE, { id });
      expect({ status, data }).toEqual({ status: 200, data: { node: null } });
      expect(errors?.[0]?.extensions).toEqual(extensions);
    }
  });

  test('a session of an admin needs none', async () => {
    const { nodes } = await read(server, 'north-admin', NODES, { ids: idsOf(north, NORTH) });
    expect(nodes).not.toContain(null);
  });
});

describe('Details', () => {
  test('of an attempt say what was sent and received', async () => {
    const { node } = await read(server, 'north', ATTEMPT, {
      id: globalId('DeliveryAttempt', `${north.deliveryId}:2`),
    });
    expect(node).toEqual({
      number: 2,
      durationMs: 13,
      responseCode: 500,
      errorKind: 'HTTP_STATUS',
      error: 'No.',
      responseBody: 'oops',
      timing: { totalMs: 12.5, dnsMs: null },
      requestHeaders: [{ name: 'x-optio-event', value: 'badge.earned' }],
      responseHeaders: [{ name: 'server', value: 'lms' }],
    });
  });

  test('of a subscription say how its target answers, also before it ever did', async () => {
    const id = globalId('WebhookSubscription', north.subscriptionId);
    const { node } = await read(server, 'north', SUBSCRIPTION, { id });
    expect(node).toEqual({
      targetUrl: 'https://lms.example/hooks',
      eventTypes: ['*'],
      status: 'ACTIVE',
      version: 1,
      retrySeconds: [],
      organization: { slug: 'north' },
      health: { consecutiveFailures: 0, failingSince: null },
      secrets: [],
      customHeaders: [],
    });
  });

  test('of the catalogues', async () => {
    const { eventTypes, scopes } = await read(server, 'north', CATALOGUES);
    expect(eventTypes.map(({ name }) => name)).toContain('quest.completed');
    expect(eventTypes[0]).toMatchObject({
      version: 1,
      jsonSchema: { type: 'object' },
      example: expect.any(Object),
    });
    expect(scopes.find(({ name }) => name === 'write:events')?.risk).toBe('HIGH');
  });
});
