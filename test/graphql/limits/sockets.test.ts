/** WebSockets of one viewer are bounded, also those over which nothing goes on (GraphQL convention 7). */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startServer, type TestServer } from '../support.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer(() => ({ limits: { maxSockets: 2 } }));
});
afterAll(() => server.close());

/** Opens a socket and says who it is; answers what became of it: `ack`, or the code and reason it was closed with. */
async function open(token: string): Promise<{ readonly socket: WebSocket; readonly outcome: string }> {
  const socket = new WebSocket(server.webSocketUrl, 'graphql-transport-ws');
  await once(socket, 'open');
  const outcome = Promise.race([
    once(socket, 'message').then(([data]) => String(JSON.parse(String(data)).type)),
    once(socket, 'close').then(([code, reason]) => `${code} ${reason}`),
  ]);
  const payload = { authorization: `Bearer ${token}` };
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  return { socket, outcome: await outcome };
}

async function close(socket: WebSocket): Promise<void> {
  socket.close();
  await once(socket, 'close');
}

test('A viewer has no more than its share, others have theirs, and a place that is given back can be taken', async () => {
  const [first, second] = [await open('north'), await open('north')];
  expect([first.outcome, second.outcome]).toEqual(['connection_ack', 'connection_ack']);
  expect((await open('north')).outcome).toBe('1013 Too many sockets: close one first');
  expect((await open('south')).outcome).toBe('connection_ack');
  await close(first.socket);
  expect((await open('north')).outcome).toBe('connection_ack');
  expect((await open('north')).outcome).toBe('1013 Too many sockets: close one first');
});
