/**
 * The time by the database's clock, for what several processes have to agree on: when a delivery is due (webhooks rule
 * 17). Carried on by the monotonic clock in between, so that the wall clock of this machine may jump as it likes.
 */
import type { Pool } from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { repeat } from '../../lib/repeat.ts';

export type DatabaseClock = Clock & { readonly stop: () => Promise<void> };

export type DatabaseClockOptions = {
  readonly pool: Pick<Pool, 'query'>;
  readonly onError: (error: Error) => void;
  /** How often the database is asked; 5,000 if left out. */
  readonly intervalMs?: number;
};

/** What the database said, against the monotonic clock; right to within half of the time that the question took. */
type Reading = { readonly offsetMs: number; readonly tookMs: number };

const INTERVAL_MS = 5_000;
const READINGS = 3;
const NOW = {
  name: 'clock',
  text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
};

/**
 * Resolves when the clock is set. While the database does not answer it goes on by itself, at the rate of the monotonic
 * clock. Throws when the database cannot be asked at the beginning.
 */
export async function startDatabaseClock(options: DatabaseClockOptions): Promise<DatabaseClock> {
  const { pool, onError, intervalMs = INTERVAL_MS } = options;
  let current = await readBest(pool);
  const setting = repeat(
    async () => {
      const next = await readBest(pool);
      // What lies within the doubt of the question is no difference: a clock that trembled would help nobody.
      if (Math.abs(next.offsetMs - current.offsetMs) > next.tookMs / 2) current = next;
    },
    { intervalMs, onError },
  );
  return { now: () => new Date(performance.now() + current.offsetMs), stop: setting.stop };
}

/** The quickest of a few: the others were held up on the way. */
async function readBest(pool: Pick<Pool, 'query'>): Promise<Reading> {
  let best: Reading | undefined;
  for (let count = 0; count < READINGS; count += 1) {
    const reading = await readClock(pool);
    if (best === undefined || reading.tookMs < best.tookMs) best = reading;
  }
  if (best === undefined) throw new Error('The clock was read.');
  return best;
}

async function readClock(pool: Pick<Pool, 'query'>): Promise<Reading> {
  const askedAt = performance.now();
  const { rows } = await pool.query<{ now: number }>(NOW);
  const answeredAt = performance.now();
  const [row] = rows;
  if (row === undefined) throw new Error('The database answered no time.');
  return { offsetMs: row.now - (askedAt + answeredAt) / 2, tookMs: answeredAt - askedAt };
}
