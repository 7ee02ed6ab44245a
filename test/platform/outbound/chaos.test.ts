import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { PATIENCE_MS } from '../../support/patience.ts';
import { listen, startOutbound } from './receiver.ts';

const ok = (index: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${String(index).length}\r\n\r\n${index}`;

/** What a receiver may do with a request; its number says which. */
const MANNERS: readonly ((socket: Socket, index: number) => void)[] = [
  (socket, index) => void socket.write(ok(index)),
  (socket, index) => void setImmediate(() => socket.write(ok(index))),
  (socket, index) => void socket.end(ok(index)),
  (socket, index) => void socket.write(ok(index), () => socket.destroy()),
  (socket, index) => void socket.write(ok(index).replace('OK', 'OK\r\nconnection: close')),
  (socket) => void socket.destroy(),
  (socket) => void socket.resetAndDestroy(),
  (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok', () => socket.destroy()),
  (socket) => void socket.write('nonsense\r\n\r\n'),
  (socket) => void socket.write(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(100_000)}`),
  (socket, index) => void socket.write(ok(index) + ok(index)),
  () => undefined,
];
const GOOD_MANNERS = 5;
const REQUESTS = 480;
const AT_ONCE = 16;

describe('receivers of all manners at one origin', () => {
  it('leave every request with its own answer, in time, over no more connections than allowed', async () => {
    let open = 0;
    let mostOpen = 0;
    const server = createServer((socket) => {
      mostOpen = Math.max(mostOpen, ++open);
      socket.on('close', () => open--);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        const index = Number(/^POST \/(\d+)/.exec(chunk.toString())?.[1]);
        MANNERS[index % MANNERS.length]?.(socket, index);
      });
    });
    const port = await listen(server);
    const outbound = startOutbound({ connectionsPerOrigin: 8, timeoutMs: PATIENCE_MS });
    const isGood = (index: number) => index % MANNERS.length < GOOD_MANNERS;
    // The good ones have time enough to wait behind those that get no answer, however busy the machine is.
    const post = (index: number) =>
      outbound.post({
        url: `http://127.0.0.1:${port}/${index}`,
        headers: [],
        body: '{}',
        ...(isGood(index) ? {} : { timeoutMs: 200 }),
      });

    const results = new Map<number, Awaited<ReturnType<typeof post>>>();
    const work = async (first: number) => {
      for (let index = first; index < REQUESTS; index += AT_ONCE) results.set(index, await post(index));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, first) => work(first)));

    const others = [...results].filter(
      ([index, result]) => isGood(index) && (result.kind !== 'response' || result.body !== String(index)),
    );
    expect(others).toEqual([]);
    expect(results.size).toBe(REQUESTS);
    // One that was given up may still be there, for a moment, beside the one in its place.
    expect(mostOpen).toBeLessThanOrEqual(16);
  });
});
