import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createOutbound } from '../../../src/platform/outbound/http-client.ts';
import { eventually } from '../../support/eventually.ts';
import { answerOk, LOOPBACK, REQUEST, startOutbound, startRawReceiver, startReceiver } from './receiver.ts';

describe('a request', () => {
  it('arrives as it was given, with the host name kept for Host, and brings the answer', async () => {
    const receiver = await startReceiver((_, response) => {
      response.writeHead(201, { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] }).end('fine');
    });
    const outbound = startOutbound({ resolve: async () => ['127.0.0.1'] });
    const body = Buffer.from('{"title":"Übung"}');
    const url = `http://hooks.example.test:${receiver.port}/a/b?c=%20d`;
    const result = await outbound.post({ url, headers: [['X-Tenant', 'north']], body });
    expect(receiver.seen).toMatchObject([{ method: 'POST', path: '/a/b?c=%20d', body }]);
    expect(receiver.seen[0]?.headers).toMatchObject({
      host: `hooks.example.test:${receiver.port}`,
      'x-tenant': 'north',
      'content-length': String(body.length),
    });
    expect(result).toMatchObject({ kind: 'response', status: 201, body: 'fine', bodyTruncated: false });
    expect(result.kind === 'response' && result.headers.filter(([name]) => /cookie|type/.test(name))).toEqual(
      [
        ['content-type', 'text/plain'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
    );
  });

  it('can have another method and no body', async () => {
    const receiver = await startReceiver();
    const result = await startOutbound().request({ method: 'GET', url: receiver.url, headers: [] });
    expect(result).toMatchObject({ kind: 'response', status: 200, body: 'ok' });
    expect(receiver.seen).toMatchObject([{ method: 'GET', body: Buffer.alloc(0) }]);
  });

  it('does not follow a redirect', async () => {
    const other = await startReceiver();
    const receiver = await startReceiver(
      (_, response) => void response.writeHead(302, { location: other.url }).end(),
    );
    expect(await startOutbound().post({ url: receiver.url, ...REQUEST })).toMatchObject({ status: 302 });
    expect(other.seen).toEqual([]);
  });

  it('is not sent when the URL may not be called, nor with a header that HTTP cannot carry', async () => {
    const receiver = await startReceiver();
    const outbound = startOutbound();
    expect(await outbound.post({ url: `http://u:p@127.0.0.1:${receiver.port}/`, ...REQUEST })).toMatchObject({
      errorKind: 'invalid_url',
      message: expect.stringContaining('user name'),
    });
    const headers = [['X-A', 'a\r\nX-Evil: 1']] as const;
    expect(await outbound.post({ url: receiver.url, headers, body: '' })).toMatchObject({
      errorKind: 'invalid_url',
    });
    expect(receiver.seen).toEqual([]);
  });

  it('ignores the proxies of the environment (webhooks rule 33)', async () => {
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'])
      vi.stubEnv(name, 'http://127.0.0.1:9');
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    onTestFinished(() => void vi.unstubAllEnvs());
    const receiver = await startReceiver();
    expect(await startOutbound().post({ url: receiver.url, ...REQUEST })).toMatchObject({ status: 200 });
  });
});

describe('answers of all kinds', () => {
  it.each([
    ['204 without a body', 'HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
    [
      'chunked',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
      200,
      'abc',
    ],
    [
      'interim 103 first',
      'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx',
      200,
      'x',
    ],
    ['an unknown status', 'HTTP/1.1 799 Odd\r\ncontent-length: 0\r\n\r\n', 799, ''],
    ['no reason phrase', 'HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n', 200, ''],
  ])('%s', async (_, text, status, body) => {
    const receiver = await startRawReceiver((socket) => void socket.write(text));
    const result = await startOutbound().post({ url: receiver.url, ...REQUEST });
    expect(result).toMatchObject({ kind: 'response', status, body });
    expect(JSON.stringify(result)).not.toContain('link');
  });

  it('a body that ends with the connection', async () => {
    const receiver = await startRawReceiver((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nabc'));
    const result = await startOutbound().post({ url: receiver.url, ...REQUEST });
    expect(result).toMatchObject({ kind: 'response', status: 200, body: 'abc' });
  });

  it.each([
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['an invalid status line', 'HTTP/1.1 abc\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['a bare 100', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
    ['headers of 20 KiB', `HTTP/1.1 200 OK\r\n${'x: '.padEnd(1000, 'a').concat('\r\n').repeat(20)}\r\n`],
    ['one header of 20 KiB', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`],
  ])('%s is a protocol error', async (_, text) => {
    const receiver = await startRawReceiver((socket) => void socket.write(text));
    const result = await startOutbound().post({ url: receiver.url, ...REQUEST });
    expect(result).toMatchObject({ kind: 'error', errorKind: 'protocol' });
    expect(receiver.seen).toHaveLength(1);
  });

  it('a connection closed before the answer, or in the middle of it, is a reset and is not sent again', async () => {
    const early = await startRawReceiver((socket) => void socket.destroy());
    const late = await startRawReceiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => socket.resetAndDestroy());
    });
    const outbound = startOutbound();
    for (const receiver of [early, late]) {
      const result = await outbound.post({ url: receiver.url, ...REQUEST });
      expect(result).toMatchObject({
        errorKind: 'reset',
        message: 'The receiver closed the connection before its answer was complete.',
      });
      expect(receiver.seen).toHaveLength(1);
    }
  });
});

async function bodyOf(bytes: Buffer, headers: Record<string, string> = {}) {
  const receiver = await startReceiver((_, response) => void response.writeHead(200, headers).end(bytes));
  const outbound = startOutbound();
  const result = await outbound.post({ url: receiver.url, ...REQUEST });
  if (result.kind !== 'response') throw new Error(result.message);
  await outbound.post({ url: receiver.url, ...REQUEST });
  return { result, connections: receiver.connections.length };
}

describe('the body of an answer (webhooks rule 9)', () => {
  it('is kept to 16 KiB', async () => {
    const whole = await bodyOf(Buffer.alloc(16_384, 'a'));
    expect([whole.result.body.length, whole.result.bodyTruncated]).toEqual([16_384, false]);
    const cut = await bodyOf(Buffer.alloc(16_385, 'a'));
    expect([cut.result.body.length, cut.result.bodyTruncated]).toEqual([16_384, true]);
  });

  it('is read to 64 KiB, which lets the connection be used again', async () => {
    const { result, connections } = await bodyOf(Buffer.alloc(65_536, 'a'));
    expect([result.body.length, result.bodyTruncated, connections]).toEqual([16_384, true, 1]);
  });

  it('is cut beyond that, with its connection', async () => {
    const { result, connections } = await bodyOf(Buffer.alloc(65_537, 'a'));
    expect([result.status, result.body.length, result.bodyTruncated, connections]).toEqual([
      200,
      16_384,
      true,
      2,
    ]);
  });

  it('may be endless and costs no more', async () => {
    let sent = 0;
    const receiver = await startRawReceiver((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(16_384, 'x'))) sent += 16_384;
      };
      socket.on('drain', more);
      more();
    });
    const result = await startOutbound().post({ url: receiver.url, ...REQUEST });
    expect(result).toMatchObject({ kind: 'response', status: 200, bodyTruncated: true });
    await eventually(() => expect(receiver.connections[0]?.destroyed).toBe(true));
    // What lies in the buffers of two sockets, and not more.
    expect(sent).toBeLessThan(20_000_000);
  });

  it('is text that Postgres can store: no NUL, no invalid UTF-8, no half characters at the cut', async () => {
    const odd = await bodyOf(
      Buffer.concat([Buffer.from('a\0b'), Buffer.from([0xff, 0xfe]), Buffer.from('ü')]),
    );
    expect(odd.result.body).toBe('ab\ufffd\ufffdü');
    const cut = await bodyOf(Buffer.from(`${'a'.repeat(16_383)}€€`));
    expect(cut.result.body).toBe('a'.repeat(16_383));
  });

  it('is not decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const { result } = await bodyOf(bomb, { 'content-encoding': 'gzip' });
    expect(bomb.length).toBeLessThan(16_384);
    expect(result.body.length).toBeLessThanOrEqual(bomb.length);
  });
});

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('closing', () => {
  it('waits for what is under way, sends nothing new, and closes all connections', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<() => void>();
    const receiver = await startReceiver((_, response) => ask(() => response.end('late')));
    const outbound = createOutbound({ allow: LOOPBACK, allowHttp: true, timeoutMs: 5_000 });
    const first = outbound.post({ url: receiver.url, ...REQUEST });
    const answer = await asked;
    const closed = outbound.close();
    expect(await outbound.post({ url: receiver.url, ...REQUEST })).toMatchObject({
      kind: 'error',
      errorKind: 'connect',
    });
    answer();
    expect(await first).toMatchObject({ status: 200, body: 'late' });
    await closed;
    await eventually(() => expect(receiver.connections[0]?.destroyed).toBe(true));
    expect(receiver.seen).toHaveLength(1);
  });

  it('leaves no timer behind', async () => {
    const receiver = await startReceiver(answerOk);
    const before = timers();
    const outbound = createOutbound({ allow: LOOPBACK, allowHttp: true, timeoutMs: 60_000 });
    await outbound.post({ url: receiver.url, ...REQUEST });
    await outbound.close();
    expect(timers()).toBeLessThanOrEqual(before);
  });
});
