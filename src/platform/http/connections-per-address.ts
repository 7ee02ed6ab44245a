/** How many connections one client may have side by side, so that nobody can take all of them from everybody else. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Cidr, isIn, parseAddress } from '../ip-range.ts';
import { addressBlock, findClientAddress } from './client-address.ts';

export type ConnectionLimit = {
  /** Of one IPv4 address or IPv6 /64, WebSockets and streams included; beyond that, connections are closed unanswered. */
  readonly perAddress: number;
  /** Proxies speak for many clients, and are not limited. */
  readonly proxies: readonly Cidr[];
};

/** Holds the server to the limit. */
export function limitConnections(server: Server, { perAddress, proxies }: ConnectionLimit): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = findClientAddress([], { peerAddress: socket.remoteAddress, forwardedFor: null });
    const bytes = parseAddress(address);
    if (bytes !== undefined && isIn(proxies, bytes)) return;
    const block = addressBlock(address);
    const count = (open.get(block) ?? 0) + 1;
    if (count > perAddress) {
      socket.destroy();
      return;
    }
    open.set(block, count);
    socket.once('close', () => {
      const left = (open.get(block) ?? 1) - 1;
      if (left > 0) open.set(block, left);
      else open.delete(block);
    });
  });
}
