/** Opens a TCP connection to the first of several addresses that accepts one (RFC 8305, "Happy Eyeballs", 4 and 5). */
import { connect, isIPv6, type Socket } from 'node:net';
import { connectFailure } from './failure.ts';

/** How long an address has to itself before the next one is tried beside it (RFC 8305 8). */
const HEAD_START_MS = 250;
/** Names with more addresses exist; a receiver that cannot be reached by these is not reached by more. */
const MAX_ADDRESSES = 8;

/**
 * A connected socket to one of the addresses, and to no other. Rejects with `connect` when none accepts,
 * with the signal's reason when it aborts. All sockets but the one that is given back are destroyed.
 */
export function dial(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const queue = interleave(addresses).slice(0, MAX_ADDRESSES);
    const open = new Set<Socket>();
    let timer: NodeJS.Timeout | undefined;

    const finish = (winner?: Socket) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      queue.length = 0;
      for (const socket of open) if (socket !== winner) socket.destroy();
    };
    const abort = () => {
      finish();
      reject(signal.reason);
    };
    const tryNext = () => {
      clearTimeout(timer);
      const host = queue.shift();
      if (host === undefined) return;
      const socket = connect({ host, port, noDelay: true, keepAlive: true });
      open.add(socket);
      socket.once('connect', () => {
        finish(socket);
        resolve(socket);
      });
      // It stays for the socket's life: an error between two owners must not end the process.
      socket.on('error', (error) => {
        open.delete(socket);
        if (queue.length > 0) return tryNext();
        if (open.size > 0) return undefined;
        finish();
        return reject(connectFailure(error));
      });
      timer = setTimeout(tryNext, HEAD_START_MS);
    };

    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    return tryNext();
  });
}

/** One family after the other in turn, so that a broken one costs one head start and not one for each address. */
function interleave(addresses: readonly string[]): string[] {
  const first = addresses.filter((address) => isIPv6(address) === isIPv6(addresses[0] ?? ''));
  const second = addresses.filter((address) => !first.includes(address));
  return first
    .flatMap((address, index) => [address, ...second.slice(index, index + 1)])
    .concat(second.slice(first.length));
}
