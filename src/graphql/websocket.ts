/**
 * GraphQL over WebSocket (graphql-transport-ws). Close codes tell the client whether to come back: 4401 it does not
 * (credentials were missing or bad at the beginning), 4403 it does (they ended meanwhile: it may have newer ones).
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols, makeServer, type Server as ProtocolServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { findClientAddress } from '../platform/http/client-address.ts';
import type { Cidr } from '../platform/ip-range.ts';
import { createProtocol, type ProtocolOptions, type SocketState } from './websocket-protocol.ts';

export type WebSocketTimes = {
  /** How long a client may take for its connection_init. */
  readonly initTimeoutMs: number;
  /** How often a client is asked whether it is there; one that has not answered by the next time is dropped. */
  readonly keepAliveMs: number;
};

export type WebSocketOptions = ProtocolOptions & {
  readonly path: string;
  readonly isAllowedOrigin: (origin: string) => boolean;
  readonly maxMessageBytes: number;
  readonly trustedProxies: readonly Cidr[];
  readonly times?: Partial<WebSocketTimes>;
};

export type WebSockets = {
  /** Ends all operations, tells the clients to go (1001), and waits until they went. */
  readonly close: () => Promise<void>;
};

const TIMES: WebSocketTimes = { initTimeoutMs: 3_000, keepAliveMs: 12_000 };
// Some fifty items: no stream keeps the others waiting for longer than these take.
const MAX_WAITING_BYTES = 16_384;
/** How long a client that was told to go may take. */
const CLOSE_GRACE_MS = 2_000;

/** Serves the upgrades of an HTTP server. */
export function attachWebSocket(httpServer: Server, options: WebSocketOptions): WebSockets {
  const times = { ...TIMES, ...options.times };
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols,
  });
  const protocol = makeServer(createProtocol(options, times.initTimeoutMs));
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const status = refusalOf(request, options);
    if (status !== undefined) {
      refuseUpgrade(socket, status);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) =>
      serve(
        { socket: opened, connection: socket, request },
        { ...options, protocol, keepAliveMs: times.keepAliveMs },
      ),
    );
  };
  httpServer.on('upgrade', upgrade);
  return {
    close: () => {
      httpServer.off('upgrade', upgrade);
      return closeAll(sockets);
    },
  };
}

function refusalOf({ url, headers }: IncomingMessage, options: WebSocketOptions): string | undefined {
  if (url?.split('?', 1)[0] !== options.path) return '404 Not Found';
  // Browsers always send it; what sends none is no browser and cannot be made to by a page.
  if (headers.origin !== undefined && !options.isAllowedOrigin(headers.origin)) return '403 Forbidden';
  return undefined;
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

type Serving = Pick<WebSocketOptions, 'logError' | 'trustedProxies'> & {
  readonly protocol: ProtocolServer<SocketState>;
  readonly keepAliveMs: number;
};

type Opened = { readonly socket: WebSocket; readonly connection: Duplex; readonly request: IncomingMessage };

/** Connects a socket with the protocol. */
function serve(
  { socket, connection, request }: Opened,
  { protocol, keepAliveMs, logError, trustedProxies }: Serving,
): void {
  const close = (code: number, reason: string): void => socket.close(code, reason);
  const facts = { address: addressOf(request, trustedProxies), userAgent: request.headers['user-agent'] };
  const leave = (): void => undefined;
  const state: SocketState = { request, close, facts, headers: new Headers(), isClosed: false, leave };
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: createSend(socket, connection),
      close,
      onMessage: (act) => {
        socket.on('message', (data) => {
          // One buffer, as ws hands out messages unless it is told otherwise.
          act((data as Buffer).toString()).catch((error: unknown) => {
            logError({ error, requestId: '' }, 'A WebSocket message could not be handled.');
            close(CloseCode.InternalServerError, 'Internal server error');
          });
        });
      },
    },
    state,
  );
  // Messages that are too large, or not what the protocol of WebSockets allows: ws itself closes with the code.
  socket.on('error', () => undefined);
  const stopPinging = keepAlive(socket, keepAliveMs);
  socket.once('close', (code, reason) => {
    stopPinging();
    closed(code, String(reason)).catch((error: unknown) => {
      logError({ error, requestId: '' }, 'A WebSocket could not be cleaned up.');
    });
  });
}

function addressOf({ socket, headers }: IncomingMessage, trustedProxies: readonly Cidr[]): string {
  // Node joins several of them; its types allow for a header that it does not join.
  const forwardedFor = [headers['x-forwarded-for'] ?? []].flat().join(',');
  return findClientAddress(trustedProxies, { peerAddress: socket.remoteAddress, forwardedFor });
}

/**
 * Messages of one turn leave in one write. A stream goes on at once while little waits to leave, and otherwise when its
 * message is gone: a slow client holds back its own stream only.
 */
function createSend(socket: WebSocket, connection: Duplex): (data: string) => Promise<void> | void {
  let isCorked = false;
  const gather = (): void => {
    if (isCorked) return;
    isCorked = true;
    connection.cork();
    setImmediate(() => {
      isCorked = false;
      connection.uncork();
    });
  };
  return (data) => {
    if (socket.readyState !== socket.OPEN) return undefined;
    gather();
    if (socket.bufferedAmount < MAX_WAITING_BYTES) return socket.send(data);
    return new Promise((resolve, reject) => {
      socket.send(data, (error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  };
}

function keepAlive(socket: WebSocket, intervalMs: number): () => void {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) {
      socket.terminate();
      return;
    }
    isAlive = false;
    socket.ping();
  }, intervalMs);
  return () => clearInterval(timer);
}

async function closeAll(sockets: WebSocketServer): Promise<void> {
  const left = [...sockets.clients].map(
    (client) =>
      new Promise<void>((resolve) => {
        const patience = setTimeout(() => client.terminate(), CLOSE_GRACE_MS);
        client.once('close', () => {
          clearTimeout(patience);
          resolve();
        });
        client.close(1001, 'Going away');
      }),
  );
  await Promise.all(left);
  await new Promise<void>((resolve) => {
    sockets.close(() => resolve());
  });
}
