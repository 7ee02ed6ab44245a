import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { listen, REQUEST, readPem, startOutbound, startRawReceiver, startReceiver } from './receiver.ts';

type Connect = { readonly target: string; readonly authorization: string | undefined };

/** A proxy that connects to loopback whatever it is asked for, or answers with `refusal`. */
async function startProxy(refusal?: string) {
  const connects: Connect[] = [];
  const server = createServer((_, response) => void response.writeHead(500).end('not by CONNECT'));
  server.on('connect', (request, client) => {
    connects.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    client.on('error', () => undefined);
    if (refusal !== undefined) client.end(`HTTP/1.1 ${refusal}\r\n\r\n`);
    else tunnel(client, Number(request.url?.split(':').at(-1)));
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}`, port, connects };
}

function tunnel(client: Duplex, port: number): void {
  const upstream = connect(port, '127.0.0.1');
  upstream.on('error', () => client.destroy());
  client.on('close', () => upstream.destroy());
  upstream.on('connect', () => {
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    upstream.pipe(client).pipe(upstream);
  });
}

const unresolvable = async () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));

const ask = (proxyUrl: string) => {
  const outbound = startOutbound({ proxyUrl, resolve: unresolvable, timeoutMs: 500 });
  return outbound.post({ url: 'https://hooks.example.test/', ...REQUEST });
};

describe("the operator's egress proxy (webhooks rule 33)", () => {
  it('carries http and https by CONNECT, and keeps connections alive', async () => {
    const plain = await startReceiver();
    const secure = await startReceiver(undefined, 'cert');
    const proxy = await startProxy();
    const outbound = startOutbound({
      proxyUrl: proxy.url,
      ca: readPem('ca'),
      resolve: async () => ['127.0.0.1'],
      connectionsPerOrigin: 1,
    });
    for (const url of [
      `http://hooks.example.test:${plain.port}/`,
      `https://hooks.example.test:${secure.port}/`,
    ]) {
      for (const _ of [1, 2]) {
        expect(await outbound.post({ url, ...REQUEST })).toMatchObject({
          kind: 'response',
          status: 200,
          body: 'ok',
        });
      }
    }
    expect(proxy.connects.map(({ target }) => target)).toEqual([
      `hooks.example.test:${plain.port}`,
      `hooks.example.test:${secure.port}`,
    ]);
    expect(plain.seen[0]?.headers.host).toBe(`hooks.example.test:${plain.port}`);
  });

  it('gets the user name and password of its URL', async () => {
    const receiver = await startReceiver();
    const proxy = await startProxy();
    const outbound = startOutbound({ proxyUrl: `http://me:p%40ss@127.0.0.1:${proxy.port}` });
    expect(await outbound.post({ url: receiver.url, ...REQUEST })).toMatchObject({ status: 200 });
    expect(proxy.connects[0]?.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
    expect(receiver.seen[0]?.headers['proxy-authorization']).toBeUndefined();
  });

  it('does not see what a closed address is asked for', async () => {
    const proxy = await startProxy();
    const outbound = startOutbound({
      allow: parseCidrs(''),
      proxyUrl: proxy.url,
      resolve: async () => ['10.0.0.1'],
    });
    for (const host of ['10.0.0.1', 'localhost', 'hooks.example.test', 'metadata.google.internal']) {
      expect(await outbound.post({ url: `http://${host}/`, ...REQUEST })).toMatchObject({
        errorKind: 'blocked_address',
      });
    }
    expect(proxy.connects).toEqual([]);
  });

  it('resolves names that are unknown here', async () => {
    const receiver = await startReceiver();
    const proxy = await startProxy();
    const outbound = startOutbound({ proxyUrl: proxy.url, resolve: unresolvable });
    const url = `http://hooks.example.test:${receiver.port}/`;
    expect(await outbound.post({ url, ...REQUEST })).toMatchObject({ status: 200 });
  });

  it.each(['403 Forbidden', '502 Bad Gateway', '407 Proxy Authentication Required'])(
    'answers %s: always the same sentence, and never as if the receiver had said it',
    async (refusal) => {
      const proxy = await startProxy(refusal);
      const outbound = startOutbound({ proxyUrl: proxy.url, resolve: unresolvable });
      for (const url of ['http://hooks.example.test/', 'https://hooks.example.test/']) {
        expect(await outbound.post({ url, ...REQUEST })).toMatchObject({
          kind: 'error',
          errorKind: 'proxy',
          message: 'The egress proxy did not connect to the receiver.',
        });
      }
    },
  );

  it('may be down, hang up, or say nothing', async () => {
    const hangsUp = await startRawReceiver((socket) => void socket.destroy());
    const silent = await startRawReceiver(() => undefined);
    expect(await ask('http://127.0.0.1:9')).toMatchObject({ errorKind: 'proxy' });
    expect(await ask(`http://127.0.0.1:${hangsUp.port}`)).toMatchObject({ errorKind: 'proxy' });
    expect(await ask(`http://127.0.0.1:${silent.port}`)).toMatchObject({ errorKind: 'timeout' });
  });

  it("leaves the receiver's certificate to be checked here", async () => {
    const receiver = await startReceiver(undefined, 'self-signed');
    const proxy = await startProxy();
    const outbound = startOutbound({ proxyUrl: proxy.url, resolve: unresolvable });
    const result = await outbound.post({ url: `https://hooks.example.test:${receiver.port}/`, ...REQUEST });
    expect(result).toMatchObject({ errorKind: 'tls', message: "The receiver's certificate is self-signed." });
  });
});
