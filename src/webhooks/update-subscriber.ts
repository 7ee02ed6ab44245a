/** One open stream: what it wants, how far it is, and what lies ready for it. Bounded: who is too slow reads the log. */
import type { Viewer } from '../accounts/viewer.ts';
import type { UpdateFilter } from './update.ts';
import { isAfter, type LogPosition } from './update-cursor.ts';
import type { LogLine } from './update-log.ts';

export type Subscriber = {
  readonly viewer: Viewer;
  readonly filter: UpdateFilter;
  /** Lines from the reader that were not taken yet. */
  buffer: LogLine[];
  /** The last line that was taken, whether the filter let it through or not. */
  position: LogPosition;
  /** Reads the log itself; the reader's lines are not buffered meanwhile. */
  isBehind: boolean;
  /** Why the stream has to end. */
  failure: Error | undefined;
  hasLeft: boolean;
  /** Continues a stream that waits. */
  wake: () => void;
};

// References to lines that all subscribers share: 40 KB at the most, and some ten seconds of a busy server.
const MAX_BUFFERED = 5_000;

export function createSubscriber(viewer: Viewer, filter: UpdateFilter, position: LogPosition): Subscriber {
  return {
    viewer,
    filter,
    buffer: [],
    position,
    isBehind: false,
    failure: undefined,
    hasLeft: false,
    wake: () => {},
  };
}

/** Gives a line of the subscriber's organization. Beyond the bound everything is dropped: it is still in the log. */
export function offer(subscriber: Subscriber, line: LogLine): void {
  // A cursor that came from another process may lie ahead of this one's reader.
  if (subscriber.isBehind || !isAfter(line, subscriber.position)) return;
  subscriber.buffer.push(line);
  if (subscriber.buffer.length > MAX_BUFFERED) fallBehind(subscriber, subscriber.position);
  subscriber.wake();
}

/** From here on the subscriber reads the log after `position` by itself. */
export function fallBehind(subscriber: Subscriber, position: LogPosition): void {
  subscriber.position = position;
  subscriber.isBehind = true;
  subscriber.buffer = [];
}

/** Ends the stream with an error. */
export function fail(subscriber: Subscriber, error: Error): void {
  subscriber.failure = error;
  subscriber.wake();
}

/** Ends the stream because its reader went away. */
export function leave(subscriber: Subscriber): void {
  subscriber.hasLeft = true;
  subscriber.wake();
}

/** Resolves when there is something to do: a line, the need to read the log, or the end. */
export async function waitForWork(subscriber: Subscriber): Promise<void> {
  await new Promise<void>((resolve) => {
    subscriber.wake = resolve;
    if (hasWork(subscriber)) resolve();
  });
}

/** Whether the filter lets a line through. */
export function wants({ filter }: Subscriber, line: LogLine): boolean {
  const { subscriptionId, eventTypes, statuses } = filter;
  return (
    (subscriptionId === undefined || line.subscriptionId === subscriptionId) &&
    (eventTypes === undefined || eventTypes.includes(line.eventType)) &&
    (statuses === undefined || statuses.includes(line.status))
  );
}

function hasWork({ buffer, isBehind, failure, hasLeft }: Subscriber): boolean {
  return buffer.length > 0 || isBehind || failure !== undefined || hasLeft;
}
