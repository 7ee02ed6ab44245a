/** A TCP proxy in front of a database: what a server sees when its database goes away and comes back. */
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
};

/** Opens it for the database of a URL. */
export async function openCutOff(databaseUrl: string): Promise<CutOff> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let frozen = false;
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
    incoming.on('data', (bytes: Buffer) => void (frozen || outgoing.write(bytes)));
    outgoing.on('data', (bytes: Buffer) => void (frozen || incoming.write(bytes)));
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
  };
}
