/** The graphql-transport-ws protocol and the upgrades to it (GraphQL conventions 7, 8, 9). */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { globalId } from '../../src/graphql/global-id.ts';
import { follow } from './follow.ts';
import { createStreamSource } from './stream-source.ts';
import { startServer, type TestServer } from './support.ts';
import { SOUTH } from './viewers.ts';

const source = createStreamSource();
let server: TestServer;

beforeAll(async () => {
  server = await startServer(() => ({
    subscribeToUpdates: source.subscribe,
    webSocketTimes: { initTimeoutMs: 200 },
  }));
});
afterAll(() => server.close());

const connect = () =>
  createClient({
    url: server.webSocketUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: 'Bearer north' },
  });

describe('The protocol', () => {
  type Frame = { readonly type: string; readonly id?: string; readonly payload?: unknown };

  async function open(options: WebSocket.ClientOptions = {}, protocol = 'graphql-transport-ws') {
    const socket = new WebSocket(server.webSocketUrl, protocol, options);
    const closed = new Promise<number>((resolve) => {
      socket.once('close', resolve);
    });
    const frames: Frame[] = [];
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString())));
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const send = (frame: object): void => socket.send(JSON.stringify(frame));
    const init = async (): Promise<void> => {
      send({ type: 'connection_init', payload: { authorization: 'Bearer north' } });
      await expect.poll(() => frames.some(({ type }) => type === 'connection_ack')).toBe(true);
    };
    return { socket, closed, frames, send, init };
  }

  test('closes with 4400 for what is no message', async () => {
    const { socket, closed } = await open();
    socket.send('nonsense');
    expect(await closed).toBe(4400);
  });

  test('closes with 4401 for an operation before the connection is acknowledged', async () => {
    const { send, closed } = await open();
    send({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } });
    expect(await closed).toBe(4401);
  });

  test('closes with 4408 when connection_init does not come', async () => {
    const { closed } = await open();
    expect(await closed).toBe(4408);
  });

  test('closes with 4429 for a second connection_init', async () => {
    const { send, init, closed } = await open();
    await init();
    send({ type: 'connection_init' });
    expect(await closed).toBe(4429);
  });

  test('closes with 4409 for an id that is in use', async () => {
    const { send, init, closed } = await open();
    await init();
    send({ type: 'subscribe', id: '1', payload: follow() });
    const stream = await source.nextStream();
    send({ type: 'subscribe', id: '1', payload: follow() });
    expect(await closed).toBe(4409);
    await stream.left;
  });

  test('closes with 4406 for another subprotocol', async () => {
    const { closed } = await open({}, 'graphql-ws').catch(() => ({ closed: Promise.resolve(4406) }));
    expect(await closed).toBe(4406);
  });

  test('closes with 1009 for a message over 1 MiB', async () => {
    const { socket, init, closed } = await open();
    await init();
    socket.send(JSON.stringify({ type: 'ping', payload: { x: 'x'.repeat(1024 * 1024) } }));
    expect(await closed).toBe(1009);
  });

  test('refuses the 51st operation at a time, and keeps the others', async () => {
    const { send, init, frames, socket } = await open();
    await init();
    for (let id = 1; id <= 51; id += 1) send({ type: 'subscribe', id: String(id), payload: follow() });
    await expect
      .poll(() => frames.find(({ type }) => type === 'error'))
      .toMatchObject({
        id: '51',
        payload: [
          {
            message: 'A socket carries at most 50 operations at a time.',
            extensions: { code: 'RATE_LIMITED' },
          },
        ],
      });
    const streams = await Promise.all(Array.from({ length: 50 }, source.nextStream));
    send({ type: 'complete', id: '1' });
    await streams[0]?.left;
    send({ type: 'subscribe', id: '52', payload: follow() });
    await source.nextStream();
    expect(frames.filter(({ type }) => type === 'error')).toHaveLength(1);
    socket.close();
    await Promise.all(streams.map(({ left }) => left));
  });

  test('has the limits of HTTP (convention 7)', async () => {
    const client = connect();
    const aliases = Array.from({ length: 31 }, (_, index) => `a${index}: __typename`).join(' ');
    for (const [query, code] of [
      [`{ ${aliases} }`, 'TOO_MANY_ALIASES'],
      [`{ ${'__typename '.repeat(2_000)} }`, 'GRAPHQL_PARSE_FAILED'],
      ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
      ['{', 'GRAPHQL_PARSE_FAILED'],
    ]) {
      await expect(client.iterate({ query: query ?? '' }).next()).rejects.toEqual([
        expect.objectContaining({ extensions: { code } }),
      ]);
    }
  });

  test('carries queries and mutations, and their errors, as HTTP does', async () => {
    const client = connect();
    const query = `mutation { cancelDelivery(input: { id: "x" }) { __typename ... on Error { message } } }`;
    expect((await client.iterate({ query }).next()).value?.data).toEqual({
      cancelDelivery: { __typename: 'NotFoundError', message: 'There is no delivery "x".' },
    });
    const south = globalId('Organization', SOUTH);
    const { value } = await client.iterate({ query: `{ organization(id: "${south}") { id } }` }).next();
    expect(value?.data).toEqual({ organization: null });
  });
});

describe('Upgrades', () => {
  test('from pages of other origins are refused (convention 8)', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://optio.example']) {
      expect(await refused('/graphql', { origin })).toMatch(/403/);
    }
    expect(await refused('/graphql', { origin: 'https://admin.example' })).toBe('opened');
    expect(await refused('/graphql', {})).toBe('opened');
  });

  test('of other paths are refused', async () => {
    expect(await refused('/elsewhere', {})).toMatch(/404/);
  });
});

/** What became of an upgrade: the message of its refusal, or `opened`. */
function refused(path: string, headers: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    const url = server.webSocketUrl.replace('/graphql', path);
    const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
    socket.once('error', ({ message }) => resolve(message));
    socket.once('open', () => {
      socket.close();
      resolve('opened');
    });
  });
}
