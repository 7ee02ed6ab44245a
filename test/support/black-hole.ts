/** A target that takes every connection and answers nothing. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export type BlackHole = {
  readonly url: string;
  /** Connections open at the moment. */
  readonly connections: () => number;
  /** Breaks all of them, and takes no more. */
  readonly close: () => Promise<void>;
};

/** Listens on a free port of the loopback interface. */
export async function openBlackHole(): Promise<BlackHole> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // It listens on a port.
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    connections: () => sockets.size,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
