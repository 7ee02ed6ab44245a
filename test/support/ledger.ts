/** What a receiver saw, held against the delivery log: nothing may be missing, and what came twice is counted. */
import type { LoggedDelivery } from './client.ts';
import type { Receiver } from './receiver.ts';

export type Comparison = {
  /** Deliveries that are not succeeded, or that the receiver never saw. */
  readonly lost: readonly LoggedDelivery[];
  /** How many the receiver saw more than once. */
  readonly repeated: number;
};

/** Compares them, by X-Optio-Delivery. */
export function compareWithLog(receiver: Receiver, log: readonly LoggedDelivery[]): Comparison {
  const seen = Map.groupBy(receiver.requests, ({ headers }) => String(headers['x-optio-delivery']));
  return {
    lost: log.filter(({ id, status }) => status !== 'succeeded' || !seen.has(id)),
    repeated: [...seen.values()].filter((requests) => requests.length > 1).length,
  };
}

/** Makes the receiver answer each request after a while, so that much of it is under way at the same time. */
export function answerAfter(receiver: Receiver, milliseconds: number): void {
  receiver.answer = (_request, response) => void setTimeout(() => response.end('ok'), milliseconds);
}
