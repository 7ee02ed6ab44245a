/** A receiver as a process of its own: reads and counts what comes, verifies a sample, answers 200. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyWebhook, verifyWebhookSignature } from '../../verify/index.js';
import {
  type Expectation,
  expectation,
  type FromReceiver,
  monotonicMs,
  type Report,
} from './receiver-messages.ts';

const SAMPLE = 100;

type State = { expected: Expectation; count: Count; readonly seen: Set<string> };
type Count = { -readonly [Name in keyof Report]: Report[Name] };

const state: State = { expected: { count: 0, secrets: {} }, count: newCount(), seen: new Set() };

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.end('ok');
    take(request, chunks);
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo; // It listens on a port.
  tell({ kind: 'listening', port });
});
process.on('message', (message) => {
  state.expected = expectation.parse(message);
  state.count = newCount();
  state.seen.clear();
});
process.on('disconnect', () => process.exit(0));

function take(request: IncomingMessage, chunks: readonly Buffer[]): void {
  const { count, expected, seen } = state;
  const { 'x-optio-delivery': delivery } = request.headers;
  const key = String(delivery ?? count.requests);
  count.lastAtMs = monotonicMs();
  if (count.requests === 0) {
    count.firstAtMs = count.lastAtMs;
    count.firstAtEpochMs = performance.timeOrigin + performance.now();
  }
  count.requests += 1;
  count.bytes += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const secret = expected.secrets[request.url ?? ''];
  if (secret !== undefined && count.requests % SAMPLE === 0) verify(request, Buffer.concat(chunks), secret);
  if (seen.has(key)) return;
  seen.add(key);
  count.distinct = seen.size;
  if (seen.size === expected.count) tell({ kind: 'complete', report: count });
}

function verify({ headers }: IncomingMessage, body: Buffer, secret: string): void {
  try {
    verifyWebhookSignature(body, String(headers['x-optio-signature']), secret);
    verifyWebhook(body, headers, secret);
    state.count.verified += 1;
  } catch {
    state.count.refused += 1;
  }
}

function newCount(): Count {
  return {
    requests: 0,
    distinct: 0,
    verified: 0,
    refused: 0,
    bytes: 0,
    firstAtMs: 0,
    lastAtMs: 0,
    firstAtEpochMs: 0,
  };
}

function tell(message: FromReceiver): void {
  process.send?.(message);
}
