/** What is refused before it is executed: too costly, too often, too many at a time (GraphQL convention 7). */
import { createClient as createSseClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createStreamSource } from '../stream-source.ts';
import { post, startServer, type TestServer } from '../support.ts';

/** 100 subscriptions with 100 deliveries each, with all their attempts and bodies. */
const HUGE = `{ organization { webhookSubscriptions(first: 100) { nodes { deliveries(first: 100) { nodes {
  attempts(first: 100) { responseBody } } } } } } }`;
/** What fits: the operation, the organization, the connection and 95 deliveries. */
const PAGE = '{ organization { deliveries(first: 95) { nodes { id } } } }';
const FOLLOW = 'subscription { deliveryUpdates { ... on StreamReady { cursor } } }';

const source = createStreamSource();
let server: TestServer;

beforeAll(async () => {
  server = await startServer(() => ({
    subscribeToUpdates: source.subscribe,
    limits: { maxCost: 1_000, pointsPerMinute: 300, maxStreams: 3 },
  }));
});
afterAll(() => server.close());

function connect(token: string) {
  return createClient({
    url: server.webSocketUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${token}` },
  });
}

describe('A cost over the limit', () => {
  test('is 400 before anything is read, and names the figure, the limit and the dearest field', async () => {
    const opened = vi.spyOn(server.tenancy, 'read');
    const { status, data, errors, extensions } = await post(server, 'south', { query: HUGE });
    expect({ status, data }).toEqual({ status: 400, data: undefined });
    expect(errors).toEqual([
      {
        message:
          'The operation can cost 5,010,203 points; 1,000 are allowed. Most of it is for organization.webhookSubscriptions.nodes.deliveries.nodes.attempts.responseBody: ask for less of it.',
        extensions: { code: 'OPERATION_TOO_COSTLY', cost: { requested: 5_010_203, limit: 1_000 } },
      },
    ]);
    expect(extensions).toMatchObject({ cost: { requested: 5_010_203, limit: 1_000 } });
    expect(opened).not.toHaveBeenCalled();
    opened.mockRestore();
  });

  test('is the same for clients that ask for application/json', async () => {
    const { status, errors } = await post(server, 'south', { query: HUGE }, { accept: 'application/json' });
    expect(status).toBe(400);
    expect(errors?.[0]?.extensions?.['code']).toBe('OPERATION_TOO_COSTLY');
  });

  test('is an error on WebSocket and SSE', async () => {
    await expect(connect('south').iterate({ query: HUGE }).next()).rejects.toEqual([
      expect.objectContaining({
        extensions: { code: 'OPERATION_TOO_COSTLY', cost: { requested: 5_010_203, limit: 1_000 } },
      }),
    ]);
    const sse = createSseClient({
      url: server.url,
      headers: { authorization: 'Bearer south' },
      retryAttempts: 0,
    });
    await expect(sse.iterate({ query: HUGE }).next()).rejects.toMatchObject({ response: { status: 400 } });
  });

  test('hangs on the variables, not on the document', async () => {
    const query = `query ($n: Int!) { organization { webhookSubscriptions(first: $n) { nodes {
      deliveries(first: $n) { nodes { id } } } } } }`;
    expect((await post(server, 'south', { query, variables: { n: 2 } })).status).toBe(200);
    expect((await post(server, 'south', { query, variables: { n: 100 } })).status).toBe(400);
    expect((await post(server, 'south', { query, variables: { n: 2 } })).status).toBe(200);
  });
});

describe('The rate limit of a viewer', () => {
  test('is told in headers and in extensions.cost, and ends in 429 with Retry-After', async () => {
    const first = await post(server, 'north', { query: PAGE });
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-policy')).toBe('"points";q=300;w=60');
    expect(first.headers.get('ratelimit')).toMatch(/^"points";r=202;t=\d+$/);
    expect(first.extensions).toEqual({
      cost: { requested: 98, limit: 1_000, remaining: 202, resetSeconds: expect.any(Number) },
    });
    await post(server, 'north', { query: PAGE });
    await post(server, 'north', { query: PAGE });
    const { status, headers, data, errors, extensions } = await post(server, 'north', { query: PAGE });
    expect({ status, data }).toEqual({ status: 429, data: undefined });
    const seconds = Number(headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(headers.get('ratelimit')).toMatch(/^"points";r=0;t=\d+$/);
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(
        /^More than 300 points in 60 seconds were asked for; try again in \d+ seconds\.$/,
      ),
      extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) },
    });
    expect(extensions).toMatchObject({ cost: { remaining: 0 } });
  });

  test('holds on WebSocket, too, and for what cannot even be parsed', async () => {
    const client = connect('north');
    for (const query of [PAGE, '{', '{ nothing }']) {
      await expect(client.iterate({ query }).next()).rejects.toEqual([
        expect.objectContaining({
          extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) },
        }),
      ]);
    }
  });

  test('is its own: nobody else waits for it', async () => {
    const { status, headers } = await post(server, 'north-admin', { query: '{ viewer { role } }' });
    expect(status).toBe(200);
    expect(headers.get('ratelimit')).toMatch(/r=298;/);
  });
});

describe('Without credentials', () => {
  test('a tenth of it is there for an address, whether operations are good or bad', async () => {
    const seen: number[] = [];
    for (let count = 0; count < 12; count += 1) {
      seen.push((await post(server, undefined, { query: '{ viewer { role } }' })).status);
      seen.push((await post(server, 'wrong', { query: '{ __typename }' })).status);
      seen.push((await post(server, undefined, { query: '{' })).status);
    }
    // 2, 1 and 1 points a round: after seven rounds 28 of 30 are spent.
    expect(seen.slice(0, 21)).toEqual(Array.from({ length: 7 }, () => [200, 401, 400]).flat());
    expect(new Set(seen.slice(24))).toEqual(new Set([429]));
    const refused = await post(server, undefined, { query: '{' });
    expect(refused.errors?.[0]?.extensions?.['code']).toBe('RATE_LIMITED');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    // Who has credentials is not held up by those who share the address.
    expect((await post(server, 'north-student', { query: '{ __typename }' })).status).toBe(200);
  });
});

describe('Streams of a viewer', () => {
  test('are limited over all its sockets and requests; a stream that ends makes room', async () => {
    const [one, other] = [connect('north-admin'), connect('north-admin')];
    for (const client of [one, one, other]) void client.iterate({ query: FOLLOW }).next();
    const streams = [await source.nextStream(), await source.nextStream(), await source.nextStream()];
    const { value } = await other.iterate({ query: FOLLOW }).next();
    expect(value?.errors?.[0]).toMatchObject({
      message: 'At most 3 streams are open at a time; close one first.',
      extensions: { code: 'RATE_LIMITED' },
    });
    const sse = createSseClient({
      url: server.url,
      headers: { authorization: 'Bearer north-admin' },
      retryAttempts: 0,
    });
    await expect(sse.iterate({ query: FOLLOW }).next()).rejects.toMatchObject({ response: { status: 429 } });
    // Another viewer has its own.
    const reader = connect('south');
    void reader.iterate({ query: FOLLOW }).next();
    await source.nextStream();
    await other.dispose();
    await streams[2]?.left;
    void one.iterate({ query: FOLLOW }).next();
    await source.nextStream();
    await Promise.all([one.dispose(), reader.dispose()]);
  });
});
