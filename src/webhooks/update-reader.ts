/** Follows the update log, once for a whole process, and hands each line to the subscribers of its organization. */
import type { Pool } from 'pg';
import { repeat } from '../lib/repeat.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import { isAfter, type LogPosition } from './update-cursor.ts';
import { type LogLine, type LogState, readLog, readLogState } from './update-log.ts';
import { offer, type Subscriber } from './update-subscriber.ts';

export type UpdateReaderOptions = {
  readonly pool: Pool;
  readonly doorbell: Pick<Doorbell, 'listen'>;
  readonly onError: (error: Error) => void;
};

export type UpdateReader = {
  /** Makes a subscriber at the log's present end, or where the reader is beyond it; it is offered every line after that. */
  readonly join: (
    make: (position: LogPosition) => Subscriber,
  ) => Promise<{ subscriber: Subscriber; state: LogState }>;
  readonly leave: (subscriber: Subscriber) => void;
  /** How far the reader is; undefined while nobody listens. */
  readonly position: () => LogPosition | undefined;
  readonly subscribers: () => Iterable<Subscriber>;
  readonly stop: () => Promise<void>;
};

const PAGE = 500;
const POLL_MS = 500;
// A line stays invisible as long as an older transaction is running; so a ring is followed by a few more looks.
const LOOK_AGAIN_MS = [2, 5, 10, 20, 40, 80, 160] as const;

/** Reads whenever it is rung for, and every half second; nothing while nobody listens. */
export function createUpdateReader({ pool, doorbell, onError }: UpdateReaderOptions): UpdateReader {
  const organizations = new Map<string, Set<Subscriber>>();
  let position: LogPosition | undefined;
  let lookAgain: NodeJS.Timeout | undefined;
  let looks = 0;

  const follow = async (): Promise<void> => {
    if (organizations.size === 0) position = undefined;
    if (position === undefined) return;
    const lines = await readLog(pool, position, PAGE);
    for (const line of lines) hand(line);
    position = lines.at(-1) ?? position;
    if (lines.length === PAGE) following.hurry();
    else lookSoon(lines.length > 0);
  };

  const hand = (line: LogLine): void => {
    for (const subscriber of organizations.get(line.organizationId) ?? []) offer(subscriber, line);
  };

  const lookSoon = (found: boolean): void => {
    looks = found ? 0 : looks + 1;
    const delay = LOOK_AGAIN_MS[looks];
    clearTimeout(lookAgain);
    if (delay !== undefined) lookAgain = setTimeout(() => following.hurry(), delay);
  };

  const following = repeat(follow, { intervalMs: POLL_MS, onError });
  const unlisten = doorbell.listen('updates', () => {
    if (organizations.size === 0) return;
    looks = 0;
    following.hurry();
  });

  return {
    join: async (make) => {
      const state = await readLogState(pool);
      position ??= state.tail;
      // A reader that lags behind still reads lines from before now.
      const subscriber = make(isAfter(state.tail, position) ? state.tail : position);
      const { organizationId } = subscriber.viewer;
      const others = organizations.get(organizationId) ?? new Set();
      organizations.set(organizationId, others.add(subscriber));
      following.hurry();
      return { subscriber, state };
    },
    leave: (subscriber) => {
      const { organizationId } = subscriber.viewer;
      const others = organizations.get(organizationId);
      others?.delete(subscriber);
      if (others?.size === 0) organizations.delete(organizationId);
    },
    position: () => position,
    subscribers: () => [...organizations.values()].flatMap((subscribers) => [...subscribers]),
    stop: async () => {
      unlisten();
      await following.stop();
      clearTimeout(lookAgain);
    },
  };
}
