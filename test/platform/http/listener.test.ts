import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createListener, HTTP_LIMITS, type ListenerOptions } from '../../../src/platform/http/listener.ts';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { converse, sendRaw } from '../../support/raw-http.ts';

const servers: Server[] = [];
const errors: Error[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
  for (const error of errors.splice(0)) throw error;
});

async function start(options: Partial<ListenerOptions> = {}): Promise<string> {
  const server = createListener({
    fetch: async (request) => new Response(`${new URL(request.url).pathname} ${await request.text()}`),
    onError: (error) => void errors.push(error),
    ...options,
  });
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on a port.
}

const HEAD = 'Host: a\r\nConnection: close';

describe('What is HTTP', () => {
  it('is answered by the app, which hears where it came from', async () => {
    const url = await start({ fetch: (_, peerAddress) => new Response(peerAddress) });
    expect(await (await fetch(url)).text()).toBe('127.0.0.1');
  });

  it('may be as long as the limit says, and no longer: 431 with the limit', async () => {
    const url = await start();
    const filling = (bytes: number) => 'x'.repeat(HTTP_LIMITS.headerBytes - bytes);
    expect(await sendRaw(url, `GET / HTTP/1.1\r\n${HEAD}\r\nX-A: ${filling(200)}\r\n\r\n`)).toMatchObject({
      status: 200,
    });
    for (const text of [
      `GET / HTTP/1.1\r\n${HEAD}\r\nX-A: ${filling(0)}\r\n\r\n`,
      `GET /${filling(0)} HTTP/1.1\r\n${HEAD}\r\n\r\n`,
      `GET / HTTP/1.1\r\n${HEAD}\r\n${'X: y\r\n'.repeat(5_000)}\r\n`,
    ]) {
      const { status, head, body } = await sendRaw(url, text);
      expect([status, JSON.parse(body)]).toEqual([
        431,
        {
          type: 'about:blank',
          status: 431,
          title: 'Request Header Fields Too Large',
          detail: 'Expected at most 16 KiB of headers, the request line included.',
        },
      ]);
      expect(head).toContain('Content-Type: application/problem+json');
    }
  });
});

describe('What is not', () => {
  it.each([
    ['no request line', 'HELLO\r\n\r\n'],
    ['HTTP/2 without an upgrade', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['a Host that is none', 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'],
    ['an absolute URL that is none', `GET http://[::1/ HTTP/1.1\r\n${HEAD}\r\n\r\n`],
    ['a header without a name', `GET / HTTP/1.1\r\n${HEAD}\r\n: x\r\n\r\n`],
    ['a control character in a header', `GET / HTTP/1.1\r\n${HEAD}\r\nX-A: a\0b\r\n\r\n`],
    ['a line break of old', `GET / HTTP/1.1\r\n${HEAD}\r\nX-A: a\r\n b\r\n\r\n`],
    [
      'two lengths (RFC 9112 6.3)',
      `POST / HTTP/1.1\r\n${HEAD}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
    ],
    [
      'a length and chunks',
      `POST / HTTP/1.1\r\n${HEAD}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['an encoding that is none', `POST / HTTP/1.1\r\n${HEAD}\r\nTransfer-Encoding: gzip\r\n\r\nhello`],
    ['a length that is none', `POST / HTTP/1.1\r\n${HEAD}\r\nContent-Length: -1\r\n\r\n`],
  ])('%s: 400 with what is expected, and the connection is closed', async (_name, text) => {
    const url = await start();
    const { status, body } = await sendRaw(url, text);
    expect([status, JSON.parse(body)]).toEqual([
      400,
      {
        type: 'about:blank',
        status: 400,
        title: 'Bad Request',
        detail: 'Expected a request in HTTP/1.1 with one valid Host header and a valid path.',
      },
    ]);
    expect((await fetch(url)).status).toBe(200);
  });

  it('is never written into the middle of another answer', async () => {
    const waiting = Promise.withResolvers<void>();
    const url = await start({
      fetch: () =>
        new Response(
          new ReadableStream({
            start: async (controller) => {
              controller.enqueue(new TextEncoder().encode('first'));
              await waiting.promise;
              controller.close();
            },
          }),
        ),
    });
    const said = await converse(url, (socket) => {
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      socket.once('data', () => socket.write('no request\r\n\r\n'));
    });
    waiting.resolve();
    expect(said).toContain('first');
    expect(said).not.toContain('problem+json');
  });
});

describe('What is slow', () => {
  const limits = { ...HTTP_LIMITS, headersMs: 100, requestMs: 200, checkMs: 20 };
  const late = 'Expected the headers within 0.1 seconds, and the whole request within 0.2.';

  it.each([
    ['a request line that does not come', 'GET /'],
    ['headers that do not end', 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow:'],
    ['a body that does not come', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel`],
    ['chunks that do not end', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel`],
  ])('%s: 408 with the limits', async (_name, text) => {
    const url = await start({ limits });
    const { status, body } = await sendRaw(url, text);
    expect([status, JSON.parse(body).detail]).toEqual([408, late]);
  });

  it('does not hold up the others', async () => {
    const url = await start({ limits: { ...limits, headersMs: 3_600_000, requestMs: 3_600_000 } });
    const sockets = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const opened = Promise.withResolvers<() => void>();
        void converse(url, (socket) => socket.write('GET /', () => opened.resolve(() => socket.destroy())));
        return opened.promise;
      }),
    );
    expect((await fetch(url)).status).toBe(200);
    for (const close of sockets) close();
  });
});

/** A connection whose request has begun, and what finishes it. */
async function holdOpen(url: string) {
  const opened = Promise.withResolvers<() => void>();
  const answered = converse(url, (socket) =>
    socket.write('GET /', () =>
      opened.resolve(() => socket.write('held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')),
    ),
  );
  return { finish: await opened.promise, answered };
}

describe('Connections', () => {
  it('beyond the limit are closed unanswered; those before it live', async () => {
    const url = await start({ limits: { ...HTTP_LIMITS, connections: 1 } });
    const first = Promise.withResolvers<() => void>();
    const answered = converse(url, (socket) =>
      socket.write('GET /', () =>
        first.resolve(() => socket.write('first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')),
      ),
    );
    const goOn = await first.promise;
    expect(await converse(url, (socket) => socket.write(`GET / HTTP/1.1\r\n${HEAD}\r\n\r\n`))).toBe('');
    goOn();
    expect(await answered).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('of one address beyond its share are closed unanswered, and make room when they end', async () => {
    const url = await start({ limits: { ...HTTP_LIMITS, connectionsPerAddress: 2 } });
    const open = await Promise.all([holdOpen(url), holdOpen(url)]);
    const request = () => converse(url, (socket) => socket.write(`GET / HTTP/1.1\r\n${HEAD}\r\n\r\n`));
    expect(await request()).toBe('');
    for (const { finish, answered } of open) {
      finish();
      expect(await answered).toMatch(/^HTTP\/1\.1 200 /);
    }
    await expect.poll(request).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('of a trusted proxy are not counted: it speaks for many', async () => {
    const limits = { ...HTTP_LIMITS, connectionsPerAddress: 1 };
    const url = await start({ limits, trustedProxies: parseCidrs('127.0.0.0/8') });
    const { finish, answered } = await holdOpen(url);
    expect((await fetch(url)).status).toBe(200);
    finish();
    await answered;
  });

  it('have limits that a stranger cannot live on', () => {
    expect(HTTP_LIMITS.connectionsPerAddress).toBeLessThanOrEqual(HTTP_LIMITS.connections / 10);
    expect(HTTP_LIMITS.headersMs).toBeLessThanOrEqual(15_000);
    expect(HTTP_LIMITS.requestMs).toBeLessThanOrEqual(60_000);
    expect(HTTP_LIMITS.headerBytes).toBeLessThanOrEqual(16_384);
    expect(HTTP_LIMITS.connections).toBeLessThanOrEqual(10_000);
  });
});
