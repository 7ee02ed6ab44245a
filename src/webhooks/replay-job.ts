/** Runs replays in the background: pg-boss says which worker, the row of the replay how far it has come (docs/adr/0043). */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { type Repeating, repeat } from '../lib/repeat.ts';
import { inTransaction } from '../platform/database/pool.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJobs, ReplayJob } from '../platform/jobs.ts';
import { FIND_RUNNING, LOCK_REPLAY, type LockedReplay, replayPiece } from './replay-sql.ts';

export type ReplayJobOptions = {
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly jobs: Pick<LaneJobs, 'enqueue' | 'replays'>;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onError: (error: Error) => void;
};

const INTERVAL_MS = 500;
const REPLAYS_AT_ONCE = 20;
/** Deliveries that one statement makes at most. */
const PIECE = 500;
/** The shortest time between two pieces of a replay that is slowed down. */
const PIECES_PER_SECOND = 2;

/** Looks for replays twice a second. What it finds is queued, since a process may have died before it did. */
export function startReplays(options: ReplayJobOptions): Pick<Repeating, 'stop'> {
  let stopped = false;
  const replaying = repeat(() => runReplays(options, () => stopped), {
    intervalMs: INTERVAL_MS,
    onError: options.onError,
  });
  return {
    stop: () => {
      stopped = true;
      return replaying.stop();
    },
  };
}

/** Takes what is due of each replay that nobody else has, a piece at a time. */
export async function runReplays(options: ReplayJobOptions, isStopped = () => false): Promise<void> {
  const { pool, clock, jobs } = options;
  const { rows } = await pool.query<ReplayJob>({
    name: 'find-replays',
    text: FIND_RUNNING,
    values: [clock.now(), REPLAYS_AT_ONCE],
  });
  if (rows.length === 0) return;
  await jobs.replays.enqueue(rows);
  const leases = await jobs.replays.take(REPLAYS_AT_ONCE);
  for (const lease of leases) {
    if (!isStopped()) await runPiece(options, lease);
    // One by one: those that are not reached when this process dies are taken over by another.
    await jobs.replays.complete([lease]);
  }
}

/** Makes the next deliveries of a replay, in one transaction; nothing when it is not due or somebody else is at it. */
export async function runPiece(
  { pool, clock, jobs, doorbell }: ReplayJobOptions,
  { organizationId, replayId }: ReplayJob,
): Promise<void> {
  const now = clock.now();
  const lanes = await inTransaction(pool, async (client) => {
    const { rows } = await client.query<LockedReplay>(LOCK_REPLAY, [organizationId, replayId, now]);
    const [replay] = rows;
    if (replay === undefined) return [];
    const limit = Math.min(
      PIECE,
      replay.room,
      Math.max(1, Math.ceil(replay.ratePerSecond / PIECES_PER_SECOND)),
    );
    if (limit <= 0) return [];
    const { text, values } = replayPiece(replay, limit, now);
    return (await client.query<{ subscriptionId: string }>(text, values)).rows;
  });
  if (lanes.length === 0) return;
  await jobs.enqueue(lanes.map(({ subscriptionId }) => ({ organizationId, subscriptionId })));
  doorbell.ring('lanes');
  doorbell.ring('queue');
  doorbell.ring('updates');
}
