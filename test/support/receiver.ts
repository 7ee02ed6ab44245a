/** A webhook receiver on a real socket, which remembers what it saw and answers as it is told. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ReceivedRequest = {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type Receiver = {
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** Answers from now on; 200 with `ok` until then. */
  answer: (request: ReceivedRequest, response: ServerResponse) => void;
  /** Resolves with all requests once `count` of them have come. */
  readonly received: (count: number) => Promise<readonly ReceivedRequest[]>;
  readonly close: () => Promise<void>;
};

/** Listens on a free port of the loopback interface. */
export async function startReceiver(): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = {
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      requests.push(received);
      receiver.answer(received, response);
      for (const waiter of waiting) if (requests.length >= waiter.count) waiter.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // It listens on a port.
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hooks`,
    requests,
    answer: (_request, response) => void response.end('ok'),
    received: async (count) => {
      if (requests.length < count) await new Promise<void>((resolve) => waiting.add({ count, resolve }));
      return requests;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}
