/** Receivers on loopback: real sockets, with whatever manners a test needs. Each closes when its test has finished. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { onTestFinished } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import {
  createOutbound,
  type Outbound,
  type OutboundOptions,
} from '../../../src/platform/outbound/http-client.ts';

export const LOOPBACK = parseCidrs('127.0.0.0/8, ::1');

export type Seen = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Counts connections, from 0. */
  readonly connection: number;
};

export type Receiver = {
  readonly port: number;
  readonly url: string;
  /** Requests in the order in which they were complete. */
  readonly seen: Seen[];
  readonly connections: Socket[];
};

type Answer = (seen: Seen, response: ServerResponse, index: number) => void;

export const answerOk: Answer = (_seen, response) => void response.end('ok');

/** An HTTP receiver; `index` counts requests, from 0. */
export async function startReceiver(answer: Answer = answerOk, tls?: TlsFiles): Promise<Receiver> {
  const seen: Seen[] = [];
  const connections: Socket[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const entry: Seen = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
        connection: connections.indexOf(request.socket),
      };
      answer(entry, response, seen.push(entry) - 1);
    });
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(readTls(tls), listener);
  server.keepAliveTimeout = 60_000;
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.on('error', () => undefined);
    connections.push(socket);
  });
  const port = await listen(server);
  const scheme = tls === undefined ? 'http' : 'https';
  return { port, url: `${scheme}://127.0.0.1:${port}/hook`, seen, connections };
}

/** A receiver that gets bytes and answers bytes; `index` counts requests over all connections, from 0. */
export async function startRawReceiver(answer: (socket: Socket, index: number) => void): Promise<Receiver> {
  const seen: Seen[] = [];
  const connections: Socket[] = [];
  const server = createTcpServer((socket) => {
    const connection = connections.push(socket) - 1;
    socket.on('error', () => undefined);
    // A request of these tests is small and comes in one piece.
    socket.on('data', (body: Buffer) => {
      answer(socket, seen.push({ method: '', path: '', headers: {}, body, connection }) - 1);
    });
  });
  const port = await listen(server);
  return { port, url: `http://127.0.0.1:${port}/hook`, seen, connections };
}

export type TlsFiles = 'cert' | 'self-signed' | 'expired';

export function readTls(name: TlsFiles): { readonly key: string; readonly cert: string } {
  return { key: readPem('key'), cert: readPem(name) };
}

export function readPem(name: string): string {
  return readFileSync(new URL(`../../support/tls/${name}.pem`, import.meta.url), 'utf8');
}

/** An outbound that may reach loopback, with a short time limit. */
export function startOutbound(options: Partial<OutboundOptions> = {}): Outbound {
  const outbound = createOutbound({ allow: LOOPBACK, allowHttp: true, timeoutMs: 2_000, ...options });
  onTestFinished(() => outbound.close());
  return outbound;
}

export const REQUEST = { headers: [['content-type', 'application/json']], body: '{}' } as const;

/** Listens on loopback and closes, with all its connections, when the test has finished. */
export async function listen(server: NetServer | Server, host = '127.0.0.1', port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ host, port }, resolve);
  await promise;
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  // A TCP server that listens has an address of this form.
  return (server.address() as AddressInfo).port;
}
