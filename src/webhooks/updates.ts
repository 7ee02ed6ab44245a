/**
 * The live stream. One reader per process follows the update log, woken by the doorbell, and hands each line to the
 * subscribers of its organization. A subscriber that comes with a cursor, or that was too slow, reads the log itself
 * until it has caught up with the reader: nothing is lost, nothing comes twice.
 */
import type { Pool } from 'pg';
import { authorize, requireOwnOrganization, type Viewer } from '../accounts/viewer.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import { repeat } from '../lib/repeat.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import { MAY_READ } from './context.ts';
import type {
  DeliveryUpdate,
  StreamItem,
  SubscribeToUpdates,
  UpdateFilter,
  UpdateRequest,
} from './update.ts';
import { decodeCursor, encodeCursor, isAfter, type LogPosition } from './update-cursor.ts';
import { type LogLine, type LogState, readLog, readLogState } from './update-log.ts';

export type UpdatesOptions = {
  readonly pool: Pool;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  /** Which of these viewers' tokens still hold; asked for all subscribers together, every few seconds. */
  readonly findValid: (viewers: readonly Viewer[]) => Promise<ReadonlySet<Viewer>>;
  readonly onError: (error: Error) => void;
};

export type Updates = {
  readonly subscribe: SubscribeToUpdates;
  /** How many streams are open. */
  readonly subscriberCount: () => number;
  /** Ends all streams. */
  readonly close: () => Promise<void>;
};

const PAGE = 500;
const MAX_BUFFERED = 1_000;
const POLL_MS = 500;
const VALIDITY_MS = 5_000;
// A line may be invisible for a moment after its ring: an older transaction is still running.
const LOOK_AGAIN_MS = [2, 5, 10, 20, 40, 80, 160] as const;

type Subscriber = {
  readonly viewer: Viewer;
  readonly filter: UpdateFilter;
  /** Lines from the reader that were not taken yet. */
  buffer: LogLine[];
  /** The last line that was taken, or skipped by the filter. */
  position: LogPosition;
  /** Reads the log itself; the reader's lines are not buffered meanwhile. */
  behind: boolean;
  failure: Error | undefined;
  ended: boolean;
  wake: () => void;
};

/** Starts the stream; the log is read only while somebody listens. */
export function startUpdates(options: UpdatesOptions): Updates {
  const { pool, doorbell, clock, onError } = options;
  const subscribers = new Set<Subscriber>();
  let position: LogPosition | undefined;
  let lookAgain: NodeJS.Timeout | undefined;
  let looks = 0;

  const follow = async (): Promise<void> => {
    if (subscribers.size === 0 || position === undefined) {
      position = undefined;
      return;
    }
    const lines = await readLog(pool, position, PAGE);
    for (const line of lines) hand(line);
    const last = lines.at(-1);
    if (last !== undefined) position = last;
    if (lines.length === PAGE) following.hurry();
    else scheduleLook(lines.length > 0);
  };

  const hand = (line: LogLine): void => {
    for (const subscriber of subscribers) {
      if (subscriber.behind || line.organizationId !== subscriber.viewer.organizationId) continue;
      // A cursor from another process may lie ahead of this reader.
      if (!isAfter(line, subscriber.position)) continue;
      subscriber.buffer.push(line);
      if (subscriber.buffer.length > MAX_BUFFERED) {
        subscriber.buffer = [];
        subscriber.behind = true;
      }
      subscriber.wake();
    }
  };

  const scheduleLook = (found: boolean): void => {
    const delay = LOOK_AGAIN_MS[looks];
    looks = found ? 0 : looks + 1;
    clearTimeout(lookAgain);
    if (delay !== undefined) lookAgain = setTimeout(() => following.hurry(), delay);
  };

  const following = repeat(follow, { intervalMs: POLL_MS, onError });
  const unlisten = doorbell.listen('updates', () => {
    if (subscribers.size === 0) return;
    looks = 0;
    following.hurry();
  });

  const checkValidity = async (): Promise<void> => {
    const viewers = [...new Set([...subscribers].map((subscriber) => subscriber.viewer))];
    if (viewers.length === 0) return;
    const valid = await options.findValid(viewers);
    for (const subscriber of subscribers) if (!valid.has(subscriber.viewer)) fail(subscriber, tokenEnded());
  };
  const validity = repeat(checkValidity, { intervalMs: VALIDITY_MS, onError });

  /** Joins the reader at its present place, or starts it at the log's tail. */
  const join = async (
    viewer: Viewer,
    filter: UpdateFilter,
  ): Promise<{ subscriber: Subscriber; state: LogState }> => {
    const current = await readLogState(pool);
    position ??= current.tail;
    const subscriber: Subscriber = {
      viewer,
      filter,
      buffer: [],
      position,
      behind: false,
      failure: undefined,
      ended: false,
      wake: () => {},
    };
    subscribers.add(subscriber);
    following.hurry();
    return { subscriber, state: current };
  };

  /** The next lines for the subscriber; waits until there are some. Undefined when it left; throws when it has to. */
  const nextLines = async (subscriber: Subscriber): Promise<readonly LogLine[] | undefined> => {
    for (;;) {
      if (subscriber.failure !== undefined) throw subscriber.failure;
      if (subscriber.ended) return undefined;
      const lines = subscriber.behind ? await catchUp(subscriber) : subscriber.buffer.splice(0);
      const last = lines.at(-1);
      if (last !== undefined) {
        subscriber.position = last;
        return lines.filter((line) => matches(line, subscriber.filter));
      }
      if (!subscriber.behind) {
        await new Promise<void>((resolve) => {
          subscriber.wake = resolve;
          if (subscriber.buffer.length > 0 || subscriber.failure !== undefined || subscriber.behind)
            resolve();
        });
      }
    }
  };

  const catchUp = async (subscriber: Subscriber): Promise<readonly LogLine[]> => {
    const goal = position;
    const lines = await readLog(pool, subscriber.position, PAGE, subscriber.viewer.organizationId);
    if (lines.length === PAGE) return lines;
    // Everything up to where the reader was is read. If the reader has not moved, its next line is ours as well.
    if (goal !== undefined && position === goal) {
      subscriber.behind = false;
      if (isAfter(goal, subscriber.position)) subscriber.position = goal;
      return lines.filter((line) => !isAfter(line, goal));
    }
    return lines;
  };

  async function* stream(
    viewer: Viewer,
    request: UpdateRequest,
    leave: { now: () => void },
  ): AsyncGenerator<StreamItem> {
    const after = request.after === undefined ? undefined : decodeCursor(request.after);
    const { subscriber, state } = await join(viewer, request.filter ?? {});
    leave.now = () => {
      subscriber.ended = true;
      subscriber.wake();
    };
    const expiry = setTimeout(() => fail(subscriber, tokenEnded()), timeUntil(viewer.expiresAt, clock));
    try {
      const gap = after === undefined ? undefined : findGap(state, after);
      if (gap !== undefined)
        yield { kind: 'gap', reason: gap, resumeFrom: encodeCursor(state.epoch, subscriber.position) };
      if (after !== undefined && gap === undefined) startBehind(subscriber, after);
      yield { kind: 'ready', cursor: encodeCursor(state.epoch, subscriber.position) };
      for (
        let lines = await nextLines(subscriber);
        lines !== undefined;
        lines = await nextLines(subscriber)
      ) {
        for (const line of lines) yield { kind: 'update', update: toUpdate(state.epoch, line) };
      }
    } finally {
      clearTimeout(expiry);
      subscribers.delete(subscriber);
    }
  }

  /** A generator that waits does not hear that it is to return; so it is woken first. */
  const openStream = (viewer: Viewer, request: UpdateRequest): AsyncIterableIterator<StreamItem> => {
    const leave = { now: () => {} };
    const items = stream(viewer, request, leave);
    const iterator: AsyncIterableIterator<StreamItem> = {
      next: () => items.next(),
      return: () => {
        leave.now();
        return items.return(undefined);
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  };

  return {
    subscribe: (viewer, request) => {
      authorize(viewer, MAY_READ);
      requireOwnOrganization(viewer, request.organizationId);
      return openStream(viewer, request);
    },
    subscriberCount: () => subscribers.size,
    close: async () => {
      unlisten();
      clearTimeout(lookAgain);
      for (const subscriber of subscribers) {
        fail(
          subscriber,
          new AppError(
            'UNAVAILABLE',
            'The server is stopping; connect again and go on after the last cursor.',
          ),
        );
      }
      await Promise.all([following.stop(), validity.stop()]);
    },
  };
}

function fail(subscriber: Subscriber, error: Error): void {
  subscriber.failure = error;
  subscriber.wake();
}

function startBehind(subscriber: Subscriber, after: LogPosition): void {
  subscriber.position = after;
  subscriber.behind = true;
  subscriber.buffer = [];
}

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

function timeUntil(time: Date, clock: Clock): number {
  return Math.min(time.getTime() - clock.now().getTime(), LONGEST_TIMEOUT_MS);
}

function tokenEnded(): AppError {
  return new AppError(
    'UNAUTHENTICATED',
    'The access token has expired or was revoked; the stream has ended.',
  );
}

function findGap(state: LogState, cursor: LogPosition & { readonly epoch: string }) {
  if (cursor.epoch !== state.epoch) return 'OTHER_DATABASE';
  return cursor.transaction < state.startsAt ? 'EXPIRED' : undefined;
}

function matches(line: LogLine, { subscriptionId, eventTypes, statuses }: UpdateFilter): boolean {
  return (
    (subscriptionId === undefined || line.subscriptionId === subscriptionId) &&
    (eventTypes === undefined || eventTypes.includes(line.eventType)) &&
    (statuses === undefined || statuses.includes(line.status))
  );
}

function toUpdate(epoch: string, line: LogLine): DeliveryUpdate {
  const { transaction, sequence, ...update } = line;
  return { ...update, cursor: encodeCursor(epoch, { transaction, sequence }) };
}
