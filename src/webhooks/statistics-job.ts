/** Adds up what settled into the statistics, and forgets what they are no longer kept for (docs/adr/0042). */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { type Repeating, repeat } from '../lib/repeat.ts';
import { COMPACT, FORGET } from './statistics-sql.ts';
import { keptSince, UNIT_NAMES } from './statistics-unit.ts';

export type StatisticsJobOptions = {
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
};

const INTERVAL_MS = 2_000;
const FORGET_EVERY_MS = 3_600_000;
const DELTAS_AT_ONCE = 10_000;
const ROWS_AT_ONCE = 5_000;
const MAX_STEPS = 1_000;

/** Adds up every other second, of several workers one at a time, and forgets every hour. */
export function startStatisticsJob({ pool, clock, onError }: StatisticsJobOptions): Pick<Repeating, 'stop'> {
  let stopped = false;
  const compacting = repeat(
    async () => {
      await compactStatistics(pool, clock.now(), { isStopped: () => stopped });
    },
    { intervalMs: INTERVAL_MS, onError },
  );
  const forgetting = repeat(
    async () => {
      await forgetStatistics(pool, clock.now());
    },
    { intervalMs: FORGET_EVERY_MS, onError },
  );
  return {
    stop: async () => {
      stopped = true;
      await Promise.all([compacting.stop(), forgetting.stop()]);
    },
  };
}

type CompactionOptions = { readonly piece?: number; readonly isStopped?: () => boolean };

/**
 * Adds up everything that settled, piece by piece, each a transaction that takes deltas away and adds them in one: one
 * that is broken off has done nothing. Answers how many deltas there were; none where somebody else is at it.
 */
export async function compactStatistics(
  pool: Pool,
  now: Date,
  { piece = DELTAS_AT_ONCE, isStopped = () => false }: CompactionOptions = {},
): Promise<number> {
  let taken = 0;
  for (let step = 0; step < MAX_STEPS && !isStopped(); step++) {
    const { rows } = await pool.query<{ taken: number }>({
      name: 'compact-statistics',
      text: COMPACT,
      values: [UNIT_NAMES, UNIT_NAMES.map((unit) => keptSince(unit, now)), piece],
    });
    const count = rows[0]?.taken ?? 0;
    taken += count;
    if (count < piece) break;
  }
  return taken;
}

/** Deletes rollups that are past the time their unit is kept, in small transactions. Answers how many. */
export async function forgetStatistics(pool: Pool, now: Date): Promise<number> {
  let deleted = 0;
  for (const unit of UNIT_NAMES) {
    for (let step = 0; step < MAX_STEPS; step++) {
      const { rowCount } = await pool.query(FORGET, [unit, keptSince(unit, now), ROWS_AT_ONCE]);
      deleted += rowCount ?? 0;
      if ((rowCount ?? 0) < ROWS_AT_ONCE) break;
    }
  }
  return deleted;
}
