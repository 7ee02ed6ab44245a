/**
 * Sends through the operator's egress proxy (webhooks rule 33), by CONNECT for http targets as well: so an answer is
 * always the receiver's own and never the proxy's. A name that resolves here is checked here first. What remains:
 * the proxy resolves names itself, at another moment and perhaps otherwise, so that a name which changes its addresses
 * in between is the proxy's to refuse, and names that only the proxy can resolve are not checked here at all.
 */
import { Pool, ProxyAgent } from 'undici';
import type { ConnectOptions, ConnectTarget } from './connect.ts';
import type { Transport } from './connection-pool.ts';
import type { Carrier, Exchange } from './exchange.ts';
import { codeOf, isTlsCode, OutboundFailure, tlsFailure } from './failure.ts';
import { resolveOpen } from './resolve.ts';

export type ProxyOptions = ConnectOptions & {
  /** The proxy, http or https, with user name and password in it where it wants them. */
  readonly proxyUrl: string;
  readonly connectionsPerOrigin: number;
  /** How long the proxy may take to make a connection. */
  readonly timeoutMs: number;
};

export function createProxyTransport(options: ProxyOptions): Transport {
  const agent = createAgent(options);
  return {
    send: (exchange) => void sendChecked(exchange, agent, options),
    // What is sent after its time is settled already, and cuts its connection as soon as it has one.
    forget: () => undefined,
    destroy: () => agent.destroy(),
  };
}

function createAgent({ proxyUrl, connectionsPerOrigin, timeoutMs, ca }: ProxyOptions): ProxyAgent {
  return new ProxyAgent({
    uri: proxyUrl,
    proxyTunnel: true,
    allowH2: false,
    connections: connectionsPerOrigin,
    connectTimeout: timeoutMs,
    headersTimeout: 0,
    bodyTimeout: 0,
    proxyTls: { rejectUnauthorized: true, timeout: timeoutMs },
    requestTls: { rejectUnauthorized: true, timeout: timeoutMs, ...(ca === undefined ? {} : { ca }) },
    // The wait for the proxy's answer to CONNECT has no other limit.
    clientFactory: (origin, connection) => new Pool(origin, { ...connection, headersTimeout: timeoutMs }),
  });
}

/** Never rejects: what goes wrong settles the exchange. */
async function sendChecked(exchange: Exchange, agent: ProxyAgent, options: ProxyOptions): Promise<void> {
  try {
    await checkTarget(exchange.target, options);
    if (!exchange.isSettled) exchange.sendBy(agent, carrierOf(exchange.target));
  } catch (error) {
    exchange.fail(proxyFailure(exchange.target, error));
  }
}

async function checkTarget({ hostname }: ConnectTarget, { resolve, allow }: ProxyOptions): Promise<void> {
  await resolveOpen(hostname, resolve, allow).catch((error: unknown) => {
    // Behind an egress proxy, names of the outside often resolve at the proxy alone.
    if (error instanceof OutboundFailure && error.kind === 'dns') return;
    throw error;
  });
}

/** Phases lie behind the proxy and are not known; a connection that breaks is the agent's to mend. */
function carrierOf(target: ConnectTarget): Carrier {
  return {
    takePhases: () => ({ dnsMs: null, connectMs: null, tlsMs: null }),
    explain: (error) => proxyFailure(target, error),
    done: () => undefined,
    broken: () => undefined,
    replace: () => undefined,
  };
}

/** One sentence for every refusal of the proxy, since it may know addresses that a tenant must not find out about. */
function proxyFailure(target: ConnectTarget, error: unknown): OutboundFailure {
  if (error instanceof OutboundFailure) return error;
  if (isTlsCode(codeOf(error))) return tlsFailure(target.hostname, error);
  return new OutboundFailure('proxy', 'The egress proxy did not connect to the receiver.', error);
}
