/**
 * Follows replays: each change of their rows, until they have ended. One question every half second for all that a process
 * follows, however many follow them; a replay goes on in pieces, twice a second at most.
 */
import type { Pool } from 'pg';
import { authorize, type Viewer } from '../accounts/viewer.ts';
import type { Replay } from '../generated/prisma/client.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import { repeat } from '../lib/repeat.ts';
import { MAY_READ } from './context.ts';
import { READ_REPLAYS } from './replay-sql.ts';
import { timeUntil, tokenEnded } from './stream-end.ts';

/**
 * Opens a stream of what a replay is: as it is now, then at each change, to its end. A consumer that is slow gets the latest
 * alone. Throws FORBIDDEN; out of the iteration NOT_FOUND, and UNAUTHENTICATED when the viewer's token has expired or was
 * revoked. Returning the iterator frees everything.
 */
export type FollowReplay = (viewer: Viewer, id: string) => AsyncIterableIterator<Replay>;

export type ReplayProgressOptions = {
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
};

export type ReplayProgress = {
  readonly follow: FollowReplay;
  readonly followers: () => Iterable<Follower>;
  /** Ends all streams. */
  readonly close: (reason: Error) => Promise<void>;
};

export type Follower = {
  readonly viewer: Viewer;
  readonly replayId: string;
  /** What was read last; null: there is none. */
  latest: Replay | null | undefined;
  failure: Error | undefined;
  hasLeft: boolean;
  wake: () => void;
};

const POLL_MS = 500;

/** Starts it; replays are read only while somebody follows one. */
export function startReplayProgress({ pool, clock, onError }: ReplayProgressOptions): ReplayProgress {
  const followers = new Set<Follower>();
  let closed: Error | undefined;
  const reading = repeat(() => readAll(pool, followers), { intervalMs: POLL_MS, onError });
  const join = (follower: Follower): void => {
    if (closed !== undefined) throw closed;
    followers.add(follower);
    reading.hurry();
  };
  return {
    follow: (viewer, replayId) => {
      authorize(viewer, MAY_READ);
      const follower = createFollower(viewer, replayId);
      const items = progressOf(follower, { clock, join, leave: () => followers.delete(follower) });
      const iterator: AsyncIterableIterator<Replay> = {
        next: () => items.next(),
        // A generator that waits does not hear that it is to return.
        return: () => {
          follower.hasLeft = true;
          follower.wake();
          return items.return(undefined);
        },
        [Symbol.asyncIterator]: () => iterator,
      };
      return iterator;
    },
    followers: () => followers,
    close: async (reason) => {
      closed = reason;
      for (const follower of followers) endFollowing(follower, reason);
      await reading.stop();
    },
  };
}

/** Ends the stream with an error. */
export function endFollowing(follower: Follower, failure: Error): void {
  follower.failure = failure;
  follower.wake();
}

function createFollower(viewer: Viewer, replayId: string): Follower {
  return {
    viewer,
    replayId,
    // What is no id of ours is none of a replay.
    latest: isUuid(replayId) ? undefined : null,
    failure: undefined,
    hasLeft: false,
    wake: () => {},
  };
}

async function readAll(pool: Pool, followers: ReadonlySet<Follower>): Promise<void> {
  const asked = [...followers].filter(({ latest }) => latest !== null);
  if (asked.length === 0) return;
  const { rows } = await pool.query<Replay>({
    name: 'read-replays',
    text: READ_REPLAYS,
    values: [asked.map(({ viewer }) => viewer.organizationId), asked.map(({ replayId }) => replayId)],
  });
  const found = new Map(rows.map((row) => [`${row.organizationId} ${row.id}`, row]));
  for (const follower of asked) {
    const { viewer, replayId } = follower;
    const replay = found.get(`${viewer.organizationId} ${replayId.toLowerCase()}`) ?? null;
    if (replay !== null && replay.version === follower.latest?.version) continue;
    follower.latest = replay;
    follower.wake();
  }
}

type Place = {
  readonly clock: Clock;
  readonly join: (follower: Follower) => void;
  readonly leave: () => void;
};

async function* progressOf(follower: Follower, { clock, join, leave }: Place): AsyncGenerator<Replay> {
  const { viewer } = follower;
  const expiry = setTimeout(() => endFollowing(follower, tokenEnded()), timeUntil(viewer.expiresAt, clock));
  let seen = 0;
  try {
    join(follower);
    for (;;) {
      const replay = await nextOf(follower, seen);
      if (replay === undefined) return;
      seen = replay.version;
      yield replay;
      if (replay.state !== 'RUNNING') return;
    }
  } finally {
    clearTimeout(expiry);
    leave();
  }
}

/** The replay as it is when it has another version than was seen; undefined when there is nothing more to come. */
async function nextOf(follower: Follower, seen: number): Promise<Replay | undefined> {
  for (;;) {
    if (follower.failure !== undefined) throw follower.failure;
    if (follower.hasLeft) return undefined;
    const { latest } = follower;
    if (latest === null) {
      // It may be forgotten while it is followed, a long time after its end.
      if (seen > 0) return undefined;
      throw new AppError('NOT_FOUND', `There is no replay ${JSON.stringify(follower.replayId)}.`);
    }
    if (latest !== undefined && latest.version !== seen) return latest;
    await new Promise<void>((resolve) => {
      follower.wake = resolve;
    });
  }
}
