/** GraphQL over WebSocket, with the real client (GraphQL conventions 7, 8, 9; webhooks rules 37, 39). */
import { type Client, CloseCode, createClient, type SubscribePayload } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { globalId } from '../../src/graphql/global-id.ts';
import { AppError } from '../../src/lib/errors.ts';
import { FOLLOW, follow } from './follow.ts';
import { createStreamSource, type StreamSource, update } from './stream-source.ts';
import { startServer, type TestServer } from './support.ts';
import { NORTH, VIEWERS } from './viewers.ts';

const source: StreamSource = createStreamSource();
/** Tokens that have ended since. */
const ended = new Set<string>();
let server: TestServer;
const clients: Client[] = [];

beforeAll(async () => {
  server = await startServer(({ authenticate }) => ({
    subscribeToUpdates: source.subscribe,
    webSocketTimes: { initTimeoutMs: 200 },
    authenticate: async (headers) => {
      if (ended.has(headers.get('authorization') ?? '')) {
        throw new AppError('UNAUTHENTICATED', 'The access token has expired.');
      }
      return authenticate(headers);
    },
  }));
});
afterEach(async () => {
  ended.clear();
  for (const client of clients.splice(0)) await client.dispose();
});
afterAll(() => server.close());

type Closed = { readonly code: number; readonly reason: string };

function connect(
  token: string | undefined,
  options: { retryAttempts?: number; headers?: Record<string, string> } = {},
) {
  const closed = Promise.withResolvers<Closed>();
  const client = createClient({
    url: server.webSocketUrl,
    retryAttempts: options.retryAttempts ?? 0,
    retryWait: async () => undefined,
    ...(token === undefined ? {} : { connectionParams: () => ({ authorization: `Bearer ${token}` }) }),
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string) {
        super(url, protocols, { headers: options.headers ?? {} });
      }
    },
    on: { closed: (event) => closed.resolve(event as Closed) }, // What ws calls a close event.
  });
  clients.push(client);
  return { client, closed: closed.promise };
}

const READY = { kind: 'ready', cursor: 'c0' } as const;

describe('Live updates (convention 9)', () => {
  test('come in order: StreamReady, then each update with its cursor', async () => {
    const { client } = connect('north');
    const items = client.iterate(follow());
    const first = items.next();
    const stream = await source.nextStream();
    stream.push(READY);
    expect((await first).value).toEqual({
      data: { deliveryUpdates: { __typename: 'StreamReady', cursor: 'c0' } },
      extensions: { cost: { requested: 11, limit: 10_000, remaining: 599_989, resetSeconds: 60 } },
    });
    stream.push(update('c1'));
    stream.push({ kind: 'gap', reason: 'EXPIRED', resumeFrom: 'c9' });
    const { value } = await items.next();
    expect(value?.data?.['deliveryUpdates']).toEqual({
      __typename: 'DeliveryUpdated',
      cursor: 'c1',
      version: 1,
      at: '2026-11-23T09:30:00.000Z',
      deliveryId: expect.any(String),
      subscriptionId: expect.any(String),
      eventType: 'badge.earned',
      status: 'SUCCEEDED',
      attemptNumber: 1,
      responseCode: 200,
      durationMs: 12,
      error: null,
    });
    expect((await items.next()).value?.data?.['deliveryUpdates']).toEqual({
      __typename: 'StreamGap',
      reason: 'EXPIRED',
      resumeFrom: 'c9',
    });
  });

  test('are asked for with the viewer, the organization, the filter and the cursor', async () => {
    const { client } = connect('north');
    const subscriptionId = '019a0000-0000-7000-8000-0000000000ff';
    const filter = { subscriptionId: globalId('WebhookSubscription', subscriptionId), statuses: ['FAILED'] };
    void client.iterate(follow({ after: 'c7', filter })).next();
    const { request, viewer } = await source.nextStream();
    expect(viewer).toBe(VIEWERS['north']);
    expect(request).toEqual({
      organizationId: NORTH,
      after: 'c7',
      filter: { subscriptionId, statuses: ['FAILED'], eventTypes: undefined },
    });
  });

  test('are resumed by the cursor after the connection was cut', async () => {
    const { client } = connect('north', { retryAttempts: 3 });
    let after: string | undefined;
    const seen: unknown[] = [];
    const got = Promise.withResolvers<void>();
    // The client repeats the operation it was given, so the cursor is read when it does.
    const payload: SubscribePayload = {
      query: FOLLOW,
      get variables() {
        return { organizationId: globalId('Organization', NORTH), ...(after === undefined ? {} : { after }) };
      },
    };
    client.subscribe<{ deliveryUpdates: { cursor: string } }>(payload, {
      next: ({ data }) => {
        after = data?.deliveryUpdates.cursor;
        seen.push(after);
        if (after === 'c2') got.resolve();
      },
      error: got.reject,
      complete: () => undefined,
    });
    const first = await source.nextStream();
    first.push(update('c1'));
    await expect.poll(() => after).toBe('c1');
    first.fail(new AppError('UNAVAILABLE', 'The server is stopping.'));
    client.terminate();
    const second = await source.nextStream();
    expect(second.request.after).toBe('c1');
    second.push(update('c2'));
    await got.promise;
    expect(seen).toEqual(['c1', 'c2']);
  });

  test('free their iterator when the client unsubscribes, disposes, or is gone', async () => {
    const { client } = connect('north');
    const items = client.iterate(follow());
    const first = items.next();
    const one = await source.nextStream();
    one.push(READY);
    await first;
    await items.return?.();
    await expect(one.left).resolves.toBeUndefined();

    void client.iterate(follow()).next();
    const two = await source.nextStream();
    await client.dispose();
    await expect(two.left).resolves.toBeUndefined();

    const { client: other } = connect('north');
    other.subscribe(follow(), { next: () => undefined, error: () => undefined, complete: () => undefined });
    const three = await source.nextStream();
    other.terminate();
    await expect(three.left).resolves.toBeUndefined();
  });

  test('are refused without the scope, and for another role', async () => {
    for (const token of ['north-nothing', 'north-student']) {
      const { client } = connect(token);
      const { value } = await client.iterate(follow()).next();
      expect(value?.errors?.[0]?.extensions?.['code']).toBe('FORBIDDEN');
    }
  });

  test('end with the error of the feature', async () => {
    const { client } = connect('north');
    const next = client.iterate(follow()).next();
    const stream = await source.nextStream();
    stream.fail(new AppError('UNAVAILABLE', 'The server is stopping.', { retryAfterSeconds: 1 }));
    await expect(next).rejects.toEqual([
      expect.objectContaining({
        message: 'The server is stopping.',
        extensions: { code: 'UNAVAILABLE', retryAfterSeconds: 1 },
      }),
    ]);
  });

  test('mask what went wrong inside, and log it', async () => {
    const { client } = connect('north');
    const next = client.iterate(follow()).next();
    const stream = await source.nextStream();
    stream.fail(new Error('password=hunter2'));
    await expect(next).rejects.toEqual([
      expect.objectContaining({
        message: 'Unexpected error.',
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: expect.any(String) },
      }),
    ]);
    expect(server.logged.at(-1)?.error).toMatchObject({ message: 'password=hunter2' });
  });
});

describe('Credentials', () => {
  test.for([['wrong'], [undefined]])(
    '%s: closed with 4401, and the client does not come back',
    async ([token]) => {
      const { client, closed } = connect(token, { retryAttempts: 5 });
      await expect(client.iterate(follow()).next()).rejects.toMatchObject({ code: CloseCode.Unauthorized });
      expect(await closed).toMatchObject({ code: 4401 });
    },
  );

  test('may come in a header of the upgrade', async () => {
    const { client } = connect(undefined, { headers: { authorization: 'Bearer north' } });
    const { value } = await client.iterate({ query: '{ viewer { clientId } }' }).next();
    expect(value?.data).toEqual({ viewer: { clientId: 'client-a' } });
  });

  test('that end are told to the stream, and the socket is closed with 4403: the client may have newer ones', async () => {
    const { client, closed } = connect('north');
    const next = client.iterate(follow()).next();
    const stream = await source.nextStream();
    stream.fail(new AppError('UNAUTHENTICATED', 'The access token has expired.'));
    await expect(next).rejects.toEqual([
      expect.objectContaining({ extensions: { code: 'UNAUTHENTICATED' } }),
    ]);
    expect(await closed).toMatchObject({ code: 4403 });
  });

  test('that end open nothing more; other streams of the socket come back with the new ones', async () => {
    let token = 'north';
    const client = createClient({
      url: server.webSocketUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 5,
      retryWait: async () => undefined,
      connectionParams: () => ({ authorization: `Bearer ${token}` }),
    });
    clients.push(client);
    void client.iterate(follow()).next();
    const before = await source.nextStream();
    ended.add('Bearer north');
    token = 'north-reader';
    await expect(client.iterate({ query: '{ viewer { role } }' }).next()).rejects.toEqual([
      expect.objectContaining({ extensions: { code: 'UNAUTHENTICATED' } }),
    ]);
    await before.left;
    const after = await source.nextStream();
    expect(after.viewer).toBe(VIEWERS['north-reader']);
  });
});
