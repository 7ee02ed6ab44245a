/** What each peer process does in the end: listen on a free port, say which, and end with the benchmark. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Serves until the benchmark disconnects. */
export function listen(handler: RequestListener): void {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo; // It listens on a port.
    process.send?.({ port });
  });
  process.on('disconnect', () => process.exit(0));
}
