import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AttemptResult } from '../../../src/platform/outbound/http-client.ts';
import { eventually } from '../../support/eventually.ts';
import { REQUEST, startOutbound, startRawReceiver, startReceiver } from './receiver.ts';

const TIMEOUT_MS = 300;

/** A result beside what a timer of the same length took: on a busy machine both are late together. */
async function measure(post: Promise<AttemptResult>) {
  const start = performance.now();
  const timer = new Promise<number>((resolve) => {
    setTimeout(() => resolve(performance.now() - start), TIMEOUT_MS);
  });
  const [result, timerMs] = await Promise.all([post, timer]);
  return { ...result, lateMs: result.timing.totalMs - timerMs };
}

/** Not before the limit, and soon after it: one that began anew with a phase would come as late again as it is long. */
function timeout(message: string | RegExp) {
  return {
    kind: 'error',
    errorKind: 'timeout',
    message: expect.stringMatching(message),
    timing: { totalMs: expect.toSatisfy((ms: number) => ms > TIMEOUT_MS - 1) },
    lateMs: expect.toSatisfy((ms: number) => ms < TIMEOUT_MS - 50),
  };
}

// Its thread stands still before it takes the first connection.
const LISTEN_AND_STOP = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/** The port of a listener whose queue is full: whoever connects gets no answer, neither yes nor no. */
async function startFullListener(): Promise<number> {
  const worker = new Worker(LISTEN_AND_STOP, { eval: true });
  const [port] = (await once(worker, 'message')) as [number]; // As it posts it.
  // One in the queue, and one more that Linux lets in.
  const waiting = [1, 2].map(() => connect(port, '127.0.0.1'));
  onTestFinished(async () => {
    for (const socket of waiting) socket.destroy();
    await worker.terminate();
  });
  await Promise.all(waiting.map((socket) => once(socket, 'connect')));
  return port;
}

describe('one time limit covers everything (webhooks rule 9)', () => {
  it('the name server', async () => {
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS, resolve: () => new Promise(() => undefined) });
    const result = await measure(outbound.post({ url: 'http://hooks.example.test/', ...REQUEST }));
    expect(result).toMatchObject(timeout('No connection to the receiver was made within 0.3 seconds.'));
  });

  it('the connection', async () => {
    const port = await startFullListener();
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS });
    const result = await measure(outbound.post({ url: `http://127.0.0.1:${port}/`, ...REQUEST }));
    expect(result).toMatchObject(timeout('No connection to the receiver was made within 0.3 seconds.'));
    expect(result.timing).toMatchObject({ connectMs: null, firstByteMs: null });
  });

  it('the TLS handshake', async () => {
    const receiver = await startRawReceiver(() => undefined);
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS });
    const result = await measure(outbound.post({ url: `https://127.0.0.1:${receiver.port}/`, ...REQUEST }));
    expect(result).toMatchObject(timeout('No connection to the receiver was made within 0.3 seconds.'));
    expect(result.timing).toMatchObject({ connectMs: expect.any(Number), tlsMs: null, firstByteMs: null });
    await eventually(() => expect(receiver.connections[0]?.destroyed).toBe(true));
  });

  it('the wait for an answer', async () => {
    const receiver = await startRawReceiver(() => undefined);
    const result = await measure(
      startOutbound({ timeoutMs: TIMEOUT_MS }).post({ url: receiver.url, ...REQUEST }),
    );
    expect(result).toMatchObject(timeout('The receiver did not answer within 0.3 seconds.'));
    await eventually(() => expect(receiver.connections[0]?.destroyed).toBe(true));
  });

  it.each([
    ['headers', '', 'The receiver did not answer within 0.3 seconds.'],
    [
      'body',
      'HTTP/1.1 200 OK\r\n\r\n',
      'The receiver answered 200, but did not finish its answer within 0.3 seconds.',
    ],
  ])('%s that drip', async (_, start, message) => {
    const drip = start === '' ? 'HTTP/1.1 200 OK\r\nx: '.padEnd(1000, 'a') : 'a'.repeat(1000);
    const receiver = await startRawReceiver((socket) => {
      let at = 0;
      socket.write(`${start}${drip[at]}`);
      const timer = setInterval(() => void socket.write(drip[++at] ?? 'a'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    const result = await measure(
      startOutbound({ timeoutMs: TIMEOUT_MS }).post({ url: receiver.url, ...REQUEST }),
    );
    expect(result).toMatchObject(timeout(message));
    expect(result.timing.firstByteMs).toBeLessThan(result.timing.totalMs);
    await eventually(() => expect(receiver.connections[0]?.destroyed).toBe(true));
  });

  it('the wait for a free connection', async () => {
    const receiver = await startReceiver(() => undefined);
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS, connectionsPerOrigin: 1 });
    const first = measure(outbound.post({ url: receiver.url, ...REQUEST }));
    const second = await measure(outbound.post({ url: receiver.url, ...REQUEST }));
    expect(await first).toMatchObject({ errorKind: 'timeout' });
    // It may get the place of the first one a moment before its own time is over.
    expect(second).toMatchObject(timeout(/within 0\.3 seconds\.$/));
  });

  it('may be another one for a single request, longer or shorter, whichever started first', async () => {
    const receiver = await startReceiver(() => undefined);
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS });
    const [long, usual, short] = [TIMEOUT_MS + 100, undefined, TIMEOUT_MS - 100].map((timeoutMs) =>
      outbound.post({ url: receiver.url, ...REQUEST, timeoutMs }),
    );
    const order: string[] = [];
    const results = await Promise.all(
      [long, usual, short].map(async (post) => {
        const result = await post;
        order.push(result?.kind === 'error' ? result.message : '');
        return result;
      }),
    );
    expect(order).toEqual(
      ['0.2', '0.3', '0.4'].map((s) => `The receiver did not answer within ${s} seconds.`),
    );
    expect(results.map((result) => Math.round((result?.timing.totalMs ?? 0) / 100) >= 2)).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('holds for each of many requests that started at different times', async () => {
    const receiver = await startReceiver(() => undefined);
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS });
    const posts: ReturnType<typeof measure>[] = [];
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        posts.push(measure(outbound.post({ url: receiver.url, ...REQUEST })));
        if (posts.length < 10) return;
        clearInterval(timer);
        resolve();
      }, 7);
    });
    for (const result of await Promise.all(posts)) {
      expect(result).toMatchObject(timeout('The receiver did not answer within 0.3 seconds.'));
    }
  });

  it('leaves the others alone: what came after a timeout is answered', async () => {
    const receiver = await startReceiver((_, response, index) => {
      if (index > 0) response.end('ok');
    });
    const outbound = startOutbound({ timeoutMs: TIMEOUT_MS, connectionsPerOrigin: 1 });
    const first = await outbound.post({ url: receiver.url, ...REQUEST });
    expect(first).toMatchObject({ errorKind: 'timeout' });
    expect(await outbound.post({ url: receiver.url, ...REQUEST })).toMatchObject({ status: 200 });
  });
});
