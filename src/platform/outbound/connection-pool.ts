/**
 * Connections by origin, kept alive. undici's own Pool does not say which connection a request went over;
 * here each connection is one undici Client with a connector that knows it, which gives the phases,
 * the one resend, and a way to give up while connecting, at no cost for each request.
 */
import { callbackify } from 'node:util';
import { Client } from 'undici';
import { type ConnectOptions, type ConnectTarget, connect, type Phases } from './connect.ts';
import type { Carrier, Exchange } from './exchange.ts';
import { type OutboundFailure, requestFailure } from './failure.ts';

export type Transport = {
  /** Sends now or as soon as a connection is free. The exchange is settled in any case, at the latest by its time limit. */
  readonly send: (exchange: Exchange) => void;
  /** Gives up an exchange that still waits. */
  readonly forget: (exchange: Exchange) => void;
  /** Closes every connection, and with it what is still under way. */
  readonly destroy: () => Promise<void>;
};

export type PoolOptions = ConnectOptions & {
  /** Connections side by side to one origin; what comes beyond waits its turn. */
  readonly connectionsPerOrigin: number;
};

type Origin = {
  readonly key: string;
  readonly target: ConnectTarget;
  /** The last used first: what is not needed grows old at the bottom and is closed. */
  readonly idle: Connection[];
  readonly all: Set<Connection>;
  /** In the order in which they came. */
  readonly waiting: Set<Exchange>;
};

export function createConnectionPool(options: PoolOptions): Transport {
  const origins = new Map<string, Origin>();

  const send = (exchange: Exchange) => {
    const origin = findOrigin(exchange);
    const connection = origin.idle.pop() ?? openConnection(origin);
    if (connection === undefined) origin.waiting.add(exchange);
    else connection.carry(exchange);
  };
  const findOrigin = ({ options: { origin: key }, target }: Exchange): Origin => {
    const known = origins.get(key);
    if (known !== undefined) return known;
    const origin: Origin = { key, target, idle: [], all: new Set(), waiting: new Set() };
    origins.set(key, origin);
    return origin;
  };
  const openConnection = (origin: Origin): Connection | undefined => {
    if (origin.all.size >= options.connectionsPerOrigin) return undefined;
    const connection: Connection = new Connection(origin, options, {
      done: () => carryNext(origin, connection),
      gone: (heir) => replace(origin, connection, heir),
    });
    origin.all.add(connection);
    return connection;
  };
  const carryNext = (origin: Origin, connection: Connection) => {
    const next = takeWaiting(origin);
    if (next === undefined) origin.idle.push(connection);
    else connection.carry(next);
  };
  /** A connection is gone; its place goes to the exchange that lost it, or to the next one that waits. */
  const replace = (origin: Origin, connection: Connection, heir: Exchange | undefined) => {
    if (!origin.all.delete(connection)) return;
    const at = origin.idle.indexOf(connection);
    if (at >= 0) origin.idle.splice(at, 1);
    const next = heir ?? takeWaiting(origin);
    if (next !== undefined) openConnection(origin)?.carry(next);
    else if (origin.all.size === 0) origins.delete(origin.key);
  };

  return {
    send,
    forget: (exchange) => void origins.get(exchange.options.origin)?.waiting.delete(exchange),
    destroy: async () => {
      const connections = [...origins.values()].flatMap(({ all }) => Array.from(all));
      await Promise.all(connections.map((connection) => connection.destroy()));
    },
  };
}

/** The oldest that has time left; those that have none are settled by their limit. */
function takeWaiting({ waiting }: Origin): Exchange | undefined {
  const now = performance.now();
  for (const exchange of waiting) {
    waiting.delete(exchange);
    if (exchange.deadlineMs > now) return exchange;
  }
  return undefined;
}

type Owner = {
  readonly done: () => void;
  /** Called at least once when the connection will not be used again. */
  readonly gone: (heir: Exchange | undefined) => void;
};

/** One connection at a time to one origin; undici makes it when there is something to send. */
class Connection implements Carrier {
  readonly #client: Client;
  readonly #owner: Owner;
  readonly #giveUp = new AbortController();
  #phases: Phases | undefined;
  #isCarrying = false;

  constructor({ key, target }: Origin, options: PoolOptions, owner: Owner) {
    this.#owner = owner;
    this.#client = new Client(key, {
      pipelining: 1,
      allowH2: false,
      // The exchange's own time limit covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_options, callback) => {
        callbackify(() => this.#connect(target, options))((error, socket) => {
          if (error === null) callback(null, socket);
          else callback(error, null);
        });
      },
    });
    // An idle connection that the receiver closes, or that is idle for too long, is of no more use.
    this.#client.on('disconnect', () => {
      if (!this.#isCarrying) void this.destroy();
    });
  }

  carry(exchange: Exchange): void {
    this.#isCarrying = true;
    exchange.sendBy(this.#client, this);
  }

  takePhases(): Phases | undefined {
    const phases = this.#phases;
    this.#phases = undefined;
    return phases;
  }

  explain(error: Error): OutboundFailure {
    return requestFailure(error);
  }

  done(): void {
    this.#isCarrying = false;
    this.#owner.done();
  }

  broken(): void {
    void this.destroy();
  }

  replace(exchange: Exchange): void {
    void this.destroy(exchange);
  }

  async destroy(heir?: Exchange): Promise<void> {
    this.#giveUp.abort(new Error('The attempt was given up.'));
    const destroyed = this.#client.destroy();
    this.#owner.gone(heir);
    await destroyed;
  }

  #connect(target: ConnectTarget, options: ConnectOptions) {
    this.#phases = { dnsMs: null, connectMs: null, tlsMs: null };
    return connect(target, options, { phases: this.#phases, signal: this.#giveUp.signal });
  }
}
