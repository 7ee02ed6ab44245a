/** The audit log through GraphQL: what is recorded of a request, and who may read it. */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { AUDIT_ACTIONS } from '../../src/audit/action.ts';
import { OPERATOR, PLATFORM } from '../../src/audit/entry.ts';
import { insertEntry } from '../../src/audit/statements.ts';
import { globalId } from '../../src/graphql/global-id.ts';
import { lowestUuidAt, newId } from '../../src/lib/ids.ts';
import { parseCidrs } from '../../src/platform/ip-range.ts';
import type { AuditFilter } from '../generated/gql/graphql.ts';
import { LOG, NODE, PLATFORM_LOG } from './audit-operations.ts';
import { CREATE } from './operations.ts';
import {
  ADDRESS,
  countStatements,
  execute,
  post,
  REQUEST_ID,
  read,
  startServer,
  type TestServer,
} from './support.ts';
import { ADMIN_ID, NORTH, NOW, SOUTH, VIEWERS } from './viewers.ts';

const admin = VIEWERS['north-admin'] as Viewer; // It is there.
const SESSION = { id: newId(), isPlatformAdmin: true };
const EXTRA: Readonly<Record<string, Viewer>> = {
  'south-admin': { ...admin, organizationId: SOUTH },
  'north-educator': { ...admin, role: 'EDUCATOR' },
  'north-admin-token': { ...admin, clientId: 'lms', scopes: ['read', 'write', 'write:webhooks'] },
  'platform-admin': { ...admin, role: 'STUDENT', organizationId: SOUTH, session: SESSION },
  'platform-admin-token': { ...admin, clientId: 'lms', scopes: ['read', 'write'], session: SESSION },
};

let server: TestServer;

beforeAll(async () => {
  server = await startServer(({ authenticate }) => ({
    trustedProxies: parseCidrs('127.0.0.0/8, 10.0.0.0/8'),
    authenticate: async (headers) =>
      EXTRA[headers.get('authorization')?.replace(/^Bearer /, '') ?? ''] ?? authenticate(headers),
  }));
});
afterAll(() => server.close());

const clear = () => server.sql('DELETE FROM audit_entries');
const logOf = async (token: string, variables: Parameters<typeof ask>[1] = {}) =>
  (await ask(token, variables)).organization?.auditLog;
const ask = (
  token: string,
  variables: { filter?: AuditFilter; first?: number; after?: string; last?: number; before?: string },
) => read(server, token, LOG, variables);

/** Adds an entry as the operator; answers its id. */
async function addEntry(act: Partial<Parameters<typeof insertEntry>[0]> = {}, organizationId = NORTH) {
  const entry = {
    action: 'organization.created',
    place: { organizationId },
    source: OPERATOR,
    at: NOW,
  } as const;
  const { text, values } = insertEntry({ ...entry, ...act });
  await server.sql(text, values);
  return String(values[0]);
}

const INPUT = { targetUrl: 'https://lms.example/hooks', eventTypes: ['badge.earned'] };

describe('An act by GraphQL', () => {
  test('is told with its client, its address, its request and what it began with', async () => {
    await clear();
    await execute(server, 'north', CREATE, { input: INPUT });
    const log = await logOf('north-admin');
    expect(log?.totalCount).toEqual({ value: 1, accuracy: 'EXACT' });
    expect(log?.nodes).toEqual([
      {
        id: expect.any(String),
        at: NOW.toISOString(),
        action: 'webhook_subscription.created',
        description: 'A webhook subscription was created.',
        occurrences: 1,
        address: ADDRESS,
        userAgent: expect.stringMatching(/node|undici/),
        requestId: REQUEST_ID,
        actor: { kind: 'CLIENT', id: 'client-a', label: null, clientId: null },
        target: { type: 'WebhookSubscription', id: expect.any(String), label: INPUT.targetUrl },
        changes: expect.arrayContaining([{ field: 'target_url', from: null, to: INPUT.targetUrl }]),
      },
    ]);
    const [entry] = log?.nodes ?? [];
    const found = await read(server, 'north', NODE, { id: entry?.target?.id ?? '' });
    expect(found.node).toMatchObject({ __typename: 'WebhookSubscription' });
  });

  test('of a person is told with the person, by the id that a member has', async () => {
    await clear();
    await execute(server, 'north-admin', CREATE, { input: INPUT });
    const log = await logOf('north-admin');
    expect(log?.nodes[0]?.actor).toEqual({
      kind: 'USER',
      id: globalId('User', ADMIN_ID),
      label: 'lin@north.example',
      clientId: null,
    });
  });

  test('by a WebSocket is told with the address that the trusted proxy of its upgrade tells', async () => {
    await clear();
    const client = createClient({
      url: server.webSocketUrl,
      retryAttempts: 0,
      connectionParams: { authorization: 'Bearer north' },
      webSocketImpl: class extends WebSocket {
        constructor(url: string, protocols: string) {
          const headers = {
            'X-Forwarded-For': '198.51.100.1, 203.0.113.9, 10.0.0.2',
            'User-Agent': 'an app',
          };
          super(url, protocols, { headers });
        }
      },
    });
    const query = `mutation { createWebhookSubscription(input: {
      targetUrl: "https://lms.example/hooks", eventTypes: ["badge.earned"] }) { __typename } }`;
    for await (const { data } of client.iterate({ query })) {
      expect(data).toEqual({ createWebhookSubscription: { __typename: 'CreateWebhookSubscriptionPayload' } });
    }
    await client.dispose();
    const log = await logOf('north-admin');
    expect(log?.nodes).toMatchObject([{ address: '203.0.113.9', userAgent: 'an app' }]);
  });
});

describe('Who may read the log', () => {
  test.each([
    ['a student', 'north-student', 'role ADMIN'],
    ['an educator', 'north-educator', 'role ADMIN'],
    ["a student's token", 'north-student-token', 'signed in'],
    ["an admin's token", 'north-admin-token', 'signed in'],
    ['a client', 'north', 'signed in'],
  ])('not %s', async (_, token, reason) => {
    const id = globalId('AuditEntry', await addEntry());
    const byList = await execute(server, token, LOG, {});
    expect(byList.data?.organization ?? null).toBeNull();
    const byNode = await execute(server, token, NODE, { id });
    expect(byNode.data?.node ?? null).toBeNull();
    for (const { errors } of [byList, byNode]) {
      expect(errors).toMatchObject([
        { message: expect.stringContaining(reason), extensions: { code: 'FORBIDDEN' } },
      ]);
    }
  });

  test('an ADMIN reads that of the own organization, entry by entry too, and no other', async () => {
    await clear();
    const [ours, theirs] = [await addEntry({}, NORTH), await addEntry({}, SOUTH)];
    await addEntry({}, PLATFORM);
    expect((await logOf('north-admin'))?.nodes.map(({ id }) => id)).toEqual([globalId('AuditEntry', ours)]);
    expect((await logOf('south-admin'))?.nodes.map(({ id }) => id)).toEqual([globalId('AuditEntry', theirs)]);
    const node = (id: string) => read(server, 'north-admin', NODE, { id: globalId('AuditEntry', id) });
    expect((await node(ours)).node).toMatchObject({ __typename: 'AuditEntry' });
    expect((await node(theirs)).node).toBeNull();
    expect((await node('no-id')).node).toBeNull();
  });

  test("the platform's own log is for an admin of the platform who has signed in", async () => {
    await clear();
    await addEntry(
      { action: 'signing_key.created', target: { type: 'SigningKey', id: 'k', label: 'key' } },
      PLATFORM,
    );
    await addEntry({}, NORTH);
    expect(await read(server, 'platform-admin', PLATFORM_LOG)).toEqual({
      platformAuditLog: {
        nodes: [
          {
            action: 'signing_key.created',
            actor: { kind: 'OPERATOR' },
            target: { type: 'SigningKey', label: 'key' },
          },
        ],
      },
    });
    for (const token of ['north-admin', 'platform-admin-token', 'north']) {
      const { data, errors } = await execute(server, token, PLATFORM_LOG);
      expect(data ?? null).toBeNull();
      expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    }
    expect((await execute(server, undefined, PLATFORM_LOG)).status).toBe(401);
  });
});

describe('The filter', () => {
  const target = { type: 'Delivery', id: newId() } as const;
  const clientSource = { ...OPERATOR, actor: { kind: 'CLIENT', id: 'lms' } } as const;
  const userSource = { ...OPERATOR, actor: { kind: 'USER', id: ADMIN_ID, clientId: null } } as const;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    await clear();
    ids['created'] = await addEntry();
    ids['retried'] = await addEntry({ action: 'delivery.retried', target, source: clientSource });
    ids['cancelled'] = await addEntry({ action: 'delivery.cancelled', target, source: userSource });
  });

  const found = async (filter: AuditFilter) => {
    const nodes = (await logOf('north-admin', { filter }))?.nodes ?? [];
    return nodes.map(({ id }) =>
      Object.keys(ids).find((name) => globalId('AuditEntry', ids[name] ?? '') === id),
    );
  };

  test.each([
    ['nothing', {}, ['cancelled', 'retried', 'created']],
    ['an action', { actions: ['delivery.retried'] }, ['retried']],
    ['several actions', { actions: ['delivery.retried', 'organization.created'] }, ['retried', 'created']],
    ['no action', { actions: [] }, []],
    ['a user', { actor: globalId('User', ADMIN_ID) }, ['cancelled']],
    ['a client', { actor: 'lms' }, ['retried']],
    ['a target', { target: globalId('Delivery', target.id) }, ['cancelled', 'retried']],
    ['a target and an action', { target: target.id, actions: ['delivery.retried'] }, ['retried']],
    ['nobody', { actor: 'nobody' }, []],
  ])('of %s', async (_, filter, names) => {
    expect(await found(filter)).toEqual(names);
  });

  test('of a time: from the first moment on, up to the second one and without it', async () => {
    await clear();
    const times = [
      '2026-11-23T08:00:00.000Z',
      '2026-11-23T09:00:00.000Z',
      '2026-11-23T10:00:00.000Z',
    ] as const;
    for (const at of times) {
      await addEntry();
      await server.sql(`UPDATE audit_entries SET id = $1, at = $2 WHERE id > $1`, [
        lowestUuidAt(new Date(at)),
        at,
      ]);
    }
    const at = async (filter: AuditFilter) =>
      ((await logOf('north-admin', { filter }))?.nodes ?? []).map((entry) => entry.at);
    expect(await at({ since: times[1] })).toEqual([times[2], times[1]]);
    expect(await at({ until: times[1] })).toEqual([times[0]]);
    expect(await at({ since: times[1], until: times[2] })).toEqual([times[1]]);
  });

  test('of an action that is none is refused, and named', async () => {
    const answer = await execute(server, 'north-admin', LOG, { filter: { actions: ['delivery.lost'] } });
    expect(answer.errors).toMatchObject([
      { message: expect.stringContaining('"delivery.lost"'), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  });
});

describe('Pages', () => {
  test('are cut by keyset, both ways, without gap or double, each with one statement', async () => {
    await clear();
    const added: string[] = [];
    for (let count = 0; count < 7; count += 1) added.unshift(globalId('AuditEntry', await addEntry()));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await logOf('north-admin', { first: 3, ...(after === undefined ? {} : { after }) });
      seen.push(...(page?.nodes ?? []).map(({ id }) => id));
      after = page?.pageInfo.hasNextPage === true ? (page.pageInfo.endCursor ?? undefined) : undefined;
    } while (after !== undefined);
    expect(seen).toEqual(added);
    const last = await logOf('north-admin', { last: 2 });
    expect(last?.nodes.map(({ id }) => id)).toEqual(added.slice(-2));
    const before = await logOf('north-admin', { last: 2, before: last?.pageInfo.startCursor ?? '' });
    expect(before?.nodes.map(({ id }) => id)).toEqual(added.slice(3, 5));
    const query = '{ organization { auditLog(first: 3) { nodes { id } } } }';
    const { count, rows } = await countStatements(() => post(server, 'north-admin', { query }));
    expect({ count, rows }).toEqual({ count: 1, rows: 4 });
  });

  test('of more than 100 are refused', async () => {
    const answer = await execute(server, 'north-admin', LOG, { first: 101 });
    expect(answer.errors).toMatchObject([{ message: expect.stringContaining('0 to 100') }]);
  });
});

test('the catalogue names every action, and describes it', async () => {
  const answer = await post<{ auditActions: unknown }>(server, 'north-reader', {
    query: '{ auditActions { name description } }',
  });
  expect(answer.data?.auditActions).toEqual(AUDIT_ACTIONS);
});
