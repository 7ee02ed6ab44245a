/**
 * The HTTP server under the shell: what a request may cost before anything of ours has seen it, and what is answered
 * to one that is not HTTP. Every limit is a bound on what a stranger can hold (RFC 9112, RFC 6585 5).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener, RequestError } from '@hono/node-server';
import { newId } from '../../lib/ids.ts';
import type { Cidr } from '../ip-range.ts';
import { limitConnections } from './connections-per-address.ts';
import { makeProblem, type Problem } from './problem.ts';

export type HttpLimits = {
  /** Of the request line and all headers. */
  readonly headerBytes: number;
  /** In which the headers have to be there. */
  readonly headersMs: number;
  /** In which the whole request has to be there, its body included. */
  readonly requestMs: number;
  /** How often slow requests are looked for. */
  readonly checkMs: number;
  /** Side by side, WebSockets and streams included; beyond that, connections are closed unanswered. */
  readonly connections: number;
  /** Of them, so many of one IPv4 address or IPv6 /64 that is no trusted proxy: one client does not take them all. */
  readonly connectionsPerAddress: number;
};

export const HTTP_LIMITS: HttpLimits = {
  headerBytes: 16_384,
  headersMs: 15_000,
  requestMs: 60_000,
  checkMs: 2_000,
  connections: 10_000,
  connectionsPerAddress: 1_000,
};

export type ListenerOptions = {
  /** Answers a request; `peerAddress` is the other end of its socket. */
  readonly fetch: (request: Request, peerAddress: string | undefined) => Response | Promise<Response>;
  readonly onError: (error: Error) => void;
  readonly limits?: HttpLimits;
  /** They speak for many clients; none, if left out. */
  readonly trustedProxies?: readonly Cidr[];
};

/** The server, not yet listening. */
export function createListener({
  fetch,
  onError,
  limits = HTTP_LIMITS,
  trustedProxies = [],
}: ListenerOptions): Server {
  const listener = getRequestListener(
    (request, { incoming }) => fetch(request, incoming.socket.remoteAddress),
    {
      overrideGlobalObjects: false,
      errorHandler: (error) => {
        if (error instanceof RequestError) return problemOf(MALFORMED);
        if (!isBrokenOff(error)) onError(error instanceof Error ? error : new Error(String(error)));
        return problemOf(makeProblem('INTERNAL', 'Something failed on our side.', newId()));
      },
    },
  );
  const answers = new WeakMap<Duplex, ServerResponse>();
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.checkMs,
      // A request without Host is refused all the same, but with words.
      requireHostHeader: false,
    },
    (request: IncomingMessage, response: ServerResponse) => {
      answers.set(request.socket, response);
      void listener(request, response);
    },
  );
  server.maxConnections = limits.connections;
  limitConnections(server, { perAddress: limits.connectionsPerAddress, proxies: trustedProxies });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    refuse(socket, answers.get(socket), refusalOf(error, limits)),
  );
  return server;
}

/** Who went away in the middle of a body reads no answer, and nothing is wrong with us. */
function isBrokenOff(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}

type Refusal = Pick<Problem, 'status' | 'title' | 'detail'>;

const MALFORMED: Refusal = {
  status: 400,
  title: 'Bad Request',
  detail: 'Expected a request in HTTP/1.1 with one valid Host header and a valid path.',
};

function refusalOf(
  { code }: NodeJS.ErrnoException,
  { headerBytes, headersMs, requestMs }: HttpLimits,
): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const detail = `Expected at most ${headerBytes / 1_024} KiB of headers, the request line included.`;
    return { status: 431, title: 'Request Header Fields Too Large', detail };
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const detail = `Expected the headers within ${headersMs / 1_000} seconds, and the whole request within ${requestMs / 1_000}.`;
    return { status: 408, title: 'Request Timeout', detail };
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return { status: 413, title: 'Content Too Large', detail: 'Expected chunks without long extensions.' };
  }
  return MALFORMED;
}

/** Answers and closes. Not into the middle of another answer, which would be read as a part of it. */
function refuse(socket: Duplex, answer: ServerResponse | undefined, refusal: Refusal): void {
  const isAnswering = answer?.headersSent === true && !answer.writableFinished;
  if (!socket.writable || isAnswering) {
    socket.destroy();
    return;
  }
  const body = bodyOf(refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${refusal.title}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function problemOf(refusal: Refusal): Response {
  const headers = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    Connection: 'close',
  };
  return new Response(bodyOf(refusal), { status: refusal.status, headers });
}

/** Without a request id where no request came about: nothing of it is in the log. */
function bodyOf(refusal: Refusal): string {
  return JSON.stringify({ type: 'about:blank', ...refusal });
}
