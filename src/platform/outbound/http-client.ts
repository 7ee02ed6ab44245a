/**
 * HTTP to servers that tenants name: webhook targets, key sets, logos. Every URL and every address is checked,
 * one time limit covers the whole of it, redirects are not followed, bodies are bounded and not decompressed,
 * proxies of the environment are ignored, and whatever happens is a value (webhooks rules 9, 10 and 27 to 35).
 */
import type { Cidr } from '../ip-range.ts';
import type { AttemptFailure, AttemptResult, HeaderPairs } from './attempt-result.ts';
import { createConnectionPool, type Transport } from './connection-pool.ts';
import { createDeadlines } from './deadlines.ts';
import { Exchange, type ExchangeRequest } from './exchange.ts';
import { createProxyTransport } from './proxy-transport.ts';
import { type Resolve, shareLookups } from './resolve.ts';
import { createResolver } from './resolver.ts';
import { checkTargetUrl, hostOf } from './target-url.ts';

export type { AttemptResult } from './attempt-result.ts';

export type OutboundOptions = {
  /** Private ranges that the operator opened. */
  readonly allow: readonly Cidr[];
  readonly allowHttp: boolean;
  /** The whole of a request: the wait for a free connection, resolve, connect, TLS, headers and body. */
  readonly timeoutMs: number;
  /** The egress proxy; what it is trusted with is said in proxy-transport.ts. */
  readonly proxyUrl?: string | undefined;
  /** Default: the name servers of the machine. */
  readonly resolve?: Resolve | undefined;
  /** Certificate authorities in PEM, instead of those that Node trusts. */
  readonly ca?: string | undefined;
  /** Default: 65,536. A longer body is cut there. */
  readonly maxResponseBytes?: number | undefined;
  /** Default: 16,384. */
  readonly keepResponseBytes?: number | undefined;
  /** Default: 256. Connections side by side to one origin, all tenants together. */
  readonly connectionsPerOrigin?: number | undefined;
};

export type OutboundRequest = {
  readonly url: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer | string;
  /** For the whole of it; the client's time limit, if left out. Few different ones. */
  readonly timeoutMs?: number | undefined;
};

export type Outbound = {
  /** Sends a POST. Never rejects; settles within the time limit. It may reach the receiver twice (at least once). */
  readonly post: (request: OutboundRequest) => Promise<AttemptResult>;
  /** The same by another method, for what the server fetches for itself. */
  readonly request: (
    request: Omit<OutboundRequest, 'body'> & { readonly method: string; readonly body?: Buffer | string },
  ) => Promise<AttemptResult>;
  /** Sends nothing new, waits for what is under way, closes all connections. */
  readonly close: () => Promise<void>;
};

export function createOutbound(options: OutboundOptions): Outbound {
  const limits = {
    timeoutMs: options.timeoutMs,
    maxResponseBytes: options.maxResponseBytes ?? 65_536,
    keepResponseBytes: options.keepResponseBytes ?? 16_384,
  };
  const transport = createTransport(options);
  const findTarget = rememberTargets(options);
  const deadlines = createDeadlines();
  const closing = Promise.withResolvers<void>();
  let isClosing = false;

  const request: Outbound['request'] = ({ method, url, headers, body, timeoutMs }) => {
    if (isClosing) return Promise.resolve(SHUTTING_DOWN);
    const target = findTarget(url);
    if ('kind' in target) return Promise.resolve(target);
    const sent = { ...target.options, method, headers: headers.flat(), body: body ?? null };
    const own = timeoutMs === undefined ? limits : { ...limits, timeoutMs };
    return new Promise((resolve) => {
      const exchange = new Exchange({ target: target.target, options: sent }, own, (_, result) => {
        forgetDeadline();
        if (result.kind === 'error') transport.forget(exchange);
        resolve(result);
        if (isClosing && deadlines.size() === 0) closing.resolve();
      });
      const forgetDeadline = deadlines.add(exchange);
      transport.send(exchange);
    });
  };
  return {
    request,
    post: (posted) => request({ ...posted, method: 'POST' }),
    close: async () => {
      isClosing = true;
      if (deadlines.size() > 0) await closing.promise;
      deadlines.stop();
      await transport.destroy();
    },
  };
}

function createTransport(options: OutboundOptions): Transport {
  const { proxyUrl, connectionsPerOrigin = 256 } = options;
  const shared = {
    ...options,
    connectionsPerOrigin,
    resolve: shareLookups(options.resolve ?? createResolver()),
  };
  return proxyUrl === undefined
    ? createConnectionPool(shared)
    : createProxyTransport({ ...shared, proxyUrl });
}

type KnownTarget = Pick<ExchangeRequest, 'target' | 'options'> | AttemptFailure;

/** More URLs than this are in use at once by nobody; then it starts afresh. */
const MAX_KNOWN_TARGETS = 10_000;

/** A URL is checked once, not for each delivery to it: the check is pure, and the addresses behind it are checked elsewhere. */
function rememberTargets(options: OutboundOptions): (url: string) => KnownTarget {
  const known = new Map<string, KnownTarget>();
  return (url) => {
    const remembered = known.get(url);
    if (remembered !== undefined) return remembered;
    if (known.size >= MAX_KNOWN_TARGETS) known.clear();
    const target = readTarget(url, options);
    known.set(url, target);
    return target;
  };
}

function readTarget(text: string, options: OutboundOptions): KnownTarget {
  const checked = checkTargetUrl(text, options);
  if (!checked.ok) return failure(checked.errorKind, checked.reason);
  const { url } = checked;
  const secure = url.protocol === 'https:';
  return {
    target: { hostname: hostOf(url), port: Number(url.port || (secure ? 443 : 80)), secure },
    // `blocking` holds back a pipeline; there is none, and without it a step for each response is saved.
    options: { origin: url.origin, path: url.pathname + url.search, method: 'POST', blocking: false },
  };
}

function failure(errorKind: AttemptFailure['errorKind'], message: string): AttemptFailure {
  const timing = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, totalMs: 0 };
  return { kind: 'error', errorKind, message, timing };
}

const SHUTTING_DOWN = failure('connect', 'The server was shutting down; nothing was sent.');
