/**
 * The live stream. One reader per process follows the update log and hands each line to the subscribers. A subscriber
 * that comes with a cursor, or that was too slow, reads the log itself until it has caught up with the reader: nothing
 * is lost, nothing comes twice.
 */
import type { Pool } from 'pg';
import { authorize, requireOwnOrganization, type Viewer } from '../accounts/viewer.ts';
import type { Clock } from '../lib/clock.ts';
import { repeat } from '../lib/repeat.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import { MAY_READ } from './context.ts';
import { endFollowing, type FollowReplay, startReplayProgress } from './replay-progress.ts';
import { serverStops, timeUntil, tokenEnded } from './stream-end.ts';
import type { StreamGapReason, StreamItem, SubscribeToUpdates, UpdateRequest } from './update.ts';
import { decodeCursor, encodeCursor, isAfter, type LogPosition } from './update-cursor.ts';
import { type LogLine, type LogState, readLog } from './update-log.ts';
import { createUpdateReader, type UpdateReader, type UpdateReaderOptions } from './update-reader.ts';
import {
  createSubscriber,
  fail,
  fallBehind,
  leave,
  type Subscriber,
  waitForWork,
  wants,
} from './update-subscriber.ts';

export type UpdatesOptions = UpdateReaderOptions & {
  readonly clock: Clock;
  /** Which of these viewers' tokens still hold; asked for all subscribers together. */
  readonly findValid: (viewers: readonly Viewer[]) => Promise<ReadonlySet<Viewer>>;
  /** How often that is asked; 5,000 if left out. */
  readonly validityMs?: number;
};

export type Updates = {
  readonly subscribe: SubscribeToUpdates;
  /** How far a replay has come, live. */
  readonly followReplay: FollowReplay;
  /** How many streams are open. */
  readonly subscriberCount: () => number;
  /** Ends all streams. */
  readonly close: () => Promise<void>;
};

const PAGE = 500;
// Between them it is seen whether the stream has to end.
const AT_ONCE = 100;

/** Starts the stream; the log is read only while somebody listens. */
export function startUpdates(options: UpdatesOptions): Updates {
  const reader = createUpdateReader(options);
  const closing = new AbortController();
  const progress = startReplayProgress(options);
  const checkValidity = async (): Promise<void> => {
    const [subscribers, followers] = [[...reader.subscribers()], [...progress.followers()]];
    if (subscribers.length + followers.length === 0) return;
    const valid = await options.findValid([...subscribers, ...followers].map(({ viewer }) => viewer));
    for (const subscriber of subscribers) if (!valid.has(subscriber.viewer)) fail(subscriber, tokenEnded());
    for (const follower of followers) if (!valid.has(follower.viewer)) endFollowing(follower, tokenEnded());
  };
  const validity = repeat(checkValidity, {
    intervalMs: options.validityMs ?? 5_000,
    onError: options.onError,
  });
  return {
    subscribe: (viewer, request) => {
      authorize(viewer, MAY_READ);
      requireOwnOrganization(viewer, request.organizationId);
      closing.signal.throwIfAborted();
      // Before anything is opened: what is no cursor is refused as the whole request.
      const after = request.after === undefined ? undefined : decodeCursor(request.after);
      return openStream({ reader, ...options, after, closing: closing.signal }, viewer, request);
    },
    followReplay: progress.follow,
    subscriberCount: () => [...reader.subscribers()].length + [...progress.followers()].length,
    close: async () => {
      closing.abort(serverStops());
      for (const subscriber of reader.subscribers()) fail(subscriber, serverStops());
      await Promise.all([reader.stop(), progress.close(serverStops()), validity.stop()]);
    },
  };
}

type StreamDeps = Pick<UpdatesOptions, 'pool' | 'clock'> & {
  readonly reader: UpdateReader;
  readonly after: ReturnType<typeof decodeCursor> | undefined;
  /** Aborted when nothing is read any more. */
  readonly closing: AbortSignal;
};
type Joined = { subscriber?: Subscriber };

/** A generator that waits does not hear that it is to return; so its subscriber is told. */
function openStream(
  deps: StreamDeps,
  viewer: Viewer,
  request: UpdateRequest,
): AsyncIterableIterator<StreamItem> {
  const joined: Joined = {};
  const items = stream(deps, viewer, request, joined);
  const iterator: AsyncIterableIterator<StreamItem> = {
    next: () => items.next(),
    return: () => {
      if (joined.subscriber !== undefined) leave(joined.subscriber);
      return items.return(undefined);
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

async function* stream(
  { reader, pool, clock, after, closing }: StreamDeps,
  viewer: Viewer,
  request: UpdateRequest,
  joined: Joined,
): AsyncGenerator<StreamItem> {
  const { subscriber, state } = await reader
    .join((position) => createSubscriber(viewer, request.filter ?? {}, position))
    .catch((error: unknown) => {
      throw translateDatabaseError(error);
    });
  joined.subscriber = subscriber;
  const expiry = setTimeout(() => fail(subscriber, tokenEnded()), timeUntil(viewer.expiresAt, clock));
  const cursor = (position: LogPosition): string => encodeCursor(state.epoch, position);
  try {
    closing.throwIfAborted();
    const gap = after === undefined ? undefined : findGap(state, after);
    if (gap !== undefined) yield { kind: 'gap', reason: gap, resumeFrom: cursor(subscriber.position) };
    else if (after !== undefined) fallBehind(subscriber, after);
    yield { kind: 'ready', cursor: cursor(subscriber.position) };
    for (;;) {
      const lines = await nextLines(reader, pool, subscriber);
      if (lines === undefined) return;
      for (const line of lines) yield itemOf(line, state.epoch);
    }
  } finally {
    clearTimeout(expiry);
    reader.leave(subscriber);
  }
}

/** The next lines; waits until there are some. Undefined when the subscriber left; throws when the stream has to end. */
async function nextLines(
  reader: UpdateReader,
  pool: Pool,
  subscriber: Subscriber,
): Promise<readonly LogLine[] | undefined> {
  for (;;) {
    if (subscriber.failure !== undefined) throw subscriber.failure;
    if (subscriber.hasLeft) return undefined;
    const lines = subscriber.isBehind
      ? await catchUp(reader, pool, subscriber)
      : subscriber.buffer.splice(0, AT_ONCE);
    const last = lines.at(-1);
    if (last === undefined) {
      await waitForWork(subscriber);
    } else {
      subscriber.position = last;
      return lines.filter((line) => wants(subscriber, line));
    }
  }
}

/**
 * Reads a page of the log. When that reaches the place where the reader was before and still is, the reader's next
 * line is the subscriber's next line, and it is live again; lines beyond that place come from the reader.
 */
async function catchUp(
  reader: UpdateReader,
  pool: Pool,
  subscriber: Subscriber,
): Promise<readonly LogLine[]> {
  const goal = reader.position();
  const lines = await readLog(pool, subscriber.position, PAGE, subscriber.viewer.organizationId).catch(
    (error: unknown) => {
      throw translateDatabaseError(error);
    },
  );
  if (lines.length === PAGE || goal === undefined || reader.position() !== goal) return lines;
  subscriber.isBehind = false;
  if (isAfter(goal, subscriber.position)) subscriber.position = goal;
  return lines.filter((line) => !isAfter(line, goal));
}

function findGap(
  state: LogState,
  cursor: LogPosition & { readonly epoch: string },
): StreamGapReason | undefined {
  if (cursor.epoch !== state.epoch) return 'OTHER_DATABASE';
  return cursor.transaction < state.startsAt ? 'EXPIRED' : undefined;
}

const items = new WeakMap<LogLine, StreamItem>();

/** One item for all subscribers that are given the line: what is made of it can be shared, too. */
function itemOf(line: LogLine, epoch: string): StreamItem {
  const known = items.get(line);
  if (known !== undefined) return known;
  const { transaction: _transaction, sequence: _sequence, ...update } = line;
  const item: StreamItem = { kind: 'update', update: { ...update, cursor: encodeCursor(epoch, line) } };
  items.set(line, item);
  return item;
}
