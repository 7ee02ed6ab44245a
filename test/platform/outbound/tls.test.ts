import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  listen,
  REQUEST,
  readPem,
  readTls,
  startOutbound,
  startRawReceiver,
  startReceiver,
  type TlsFiles,
} from './receiver.ts';

const ca = readPem('ca');
const resolve = async () => ['127.0.0.1'];

/** Answers what a TLS client asked for by SNI. */
async function startSniReceiver() {
  const names: (string | false | null)[] = [];
  const server = createTlsServer(
    readTls('cert'),
    (socket: TLSSocket & { servername?: string | false | null }) => {
      names.push(socket.servername ?? null);
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    },
  );
  return { port: await listen(server), names };
}

describe('https', () => {
  it('reaches a receiver whose certificate is trusted, and measures the handshake', async () => {
    const receiver = await startReceiver(undefined, 'cert');
    const outbound = startOutbound({ ca, resolve });
    const url = `https://hooks.example.test:${receiver.port}/`;
    const first = await outbound.post({ url, ...REQUEST });
    expect(first).toMatchObject({
      status: 200,
      timing: { dnsMs: expect.any(Number), tlsMs: expect.any(Number) },
    });
    const second = await outbound.post({ url, ...REQUEST });
    expect(second).toMatchObject({ status: 200, timing: { dnsMs: null, connectMs: null, tlsMs: null } });
    expect(receiver.seen[0]?.headers.host).toBe(`hooks.example.test:${receiver.port}`);
  });

  it('keeps the host name for SNI, though a checked address is dialled; an address has none (RFC 6066 3)', async () => {
    const { port, names } = await startSniReceiver();
    const outbound = startOutbound({ ca, resolve });
    expect(await outbound.post({ url: `https://hooks.example.test:${port}/`, ...REQUEST })).toMatchObject({
      status: 200,
    });
    expect(await outbound.post({ url: `https://127.0.0.1:${port}/`, ...REQUEST })).toMatchObject({
      status: 200,
    });
    expect(names).toEqual(['hooks.example.test', false]);
  });

  it.each<[TlsFiles, string | undefined, string, string]>([
    ['self-signed', undefined, 'hooks.example.test', "The receiver's certificate is self-signed."],
    ['self-signed', ca, 'hooks.example.test', "The receiver's certificate is self-signed."],
    [
      'cert',
      undefined,
      'hooks.example.test',
      "The receiver's certificate is not from an authority that is trusted, or its chain is incomplete.",
    ],
    ['cert', ca, 'other.example.test', "The receiver's certificate is not for other.example.test."],
    ['expired', ca, 'hooks.example.test', "The receiver's certificate has expired."],
  ])('refuses the certificate %s (authority %#) for %s', async (files, authority, host, message) => {
    const receiver = await startReceiver(undefined, files);
    const outbound = startOutbound({ ca: authority, resolve });
    const result = await outbound.post({ url: `https://${host}:${receiver.port}/`, ...REQUEST });
    expect(result).toMatchObject({
      kind: 'error',
      errorKind: 'tls',
      message,
      timing: { dnsMs: expect.any(Number), connectMs: expect.any(Number), tlsMs: null, firstByteMs: null },
    });
    expect(receiver.seen).toEqual([]);
  });

  it('refuses it even where the environment tells Node not to look', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const receiver = await startReceiver(undefined, 'self-signed');
    const url = `https://127.0.0.1:${receiver.port}/`;
    expect(await startOutbound().post({ url, ...REQUEST })).toMatchObject({ errorKind: 'tls' });
  });

  it('fails with a receiver that speaks no TLS, and with one that hangs up', async () => {
    const plain = await startReceiver();
    const silent = await startRawReceiver((socket) => void socket.destroy());
    const outbound = startOutbound();
    for (const { port } of [plain, silent]) {
      const result = await outbound.post({ url: `https://127.0.0.1:${port}/`, ...REQUEST });
      expect(result).toMatchObject({ kind: 'error', errorKind: 'tls' });
    }
  });
});
