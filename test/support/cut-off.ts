/** A TCP proxy in front of a database: what a server sees when its database goes away, comes back, or moves. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type CutOff = {
  /** The database's URL by way of the proxy. */
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  readonly cut: () => Promise<void>;
  /** Lets new ones through again, on the same port. */
  readonly restore: () => Promise<void>;
  /** Swallows every byte from now on, both ways, and closes nothing: a network that drops packets, a frozen machine. */
  readonly freeze: () => void;
  /** Lets bytes through again. What was swallowed is lost, as if sent over a connection of before. */
  readonly thaw: () => void;
  /** New connections go to another database from now on, as after a failover; those that are open stay. */
  readonly moveTo: (databaseUrl: string) => void;
  /**
   * Lets one connection stand still at a point: when it has carried these texts, one after the other, the last of them
   * does not arrive, and nothing after it. Resolves then.
   */
  readonly stopAt: (...point: readonly Sign[]) => Promise<void>;
};

/** A text on its way. */
export type Sign = { readonly from: 'server' | 'database'; readonly text: string };

/** Statements of the worker, as its driver names them when it runs them (Bind). */
export const SETTLE: Sign = { from: 'server', text: '\0settle\0' };
export const COMMIT: Sign = { from: 'server', text: 'COMMIT\0' };
export const COMMITTED: Sign = { from: 'database', text: 'COMMIT\0' };

type Watch = { readonly point: readonly Sign[]; readonly reached: () => void };

/** Opens it for the database of a URL. */
export async function openCutOff(databaseUrl: string): Promise<CutOff> {
  let target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let frozen = false;
  let watch: Watch | undefined;

  /** Says for every chunk of a connection whether it may pass. */
  const openGate = () => {
    const passed = { watch, count: 0, isHeld: false };
    return (from: Sign['from'], bytes: Buffer): boolean => {
      if (passed.watch !== watch) Object.assign(passed, { watch, count: 0 });
      const sign = watch?.point[passed.count];
      if (sign?.from === from && bytes.includes(sign.text)) passed.count += 1;
      if (watch !== undefined && passed.count === watch.point.length) {
        passed.isHeld = true;
        watch.reached();
        watch = undefined;
      }
      return !frozen && !passed.isHeld;
    };
  };

  const proxy = createServer((incoming) => {
    const outgoing = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    const mayPass = openGate();
    incoming.on('data', (bytes: Buffer) => void (mayPass('server', bytes) && outgoing.write(bytes)));
    outgoing.on('data', (bytes: Buffer) => void (mayPass('database', bytes) && incoming.write(bytes)));
  });
  const listen = async (port: number): Promise<number> => {
    await once(proxy.listen(port, '127.0.0.1'), 'listening');
    return (proxy.address() as AddressInfo).port; // It listens on a port.
  };
  const port = await listen(0);
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    cut: async () => {
      const closed = once(proxy, 'close');
      proxy.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    restore: async () => void (await listen(port)),
    freeze: () => {
      frozen = true;
    },
    thaw: () => {
      frozen = false;
    },
    moveTo: (otherUrl) => {
      target = new URL(otherUrl);
    },
    stopAt: (...point) =>
      new Promise((reached) => {
        watch = { point, reached };
      }),
  };
}
