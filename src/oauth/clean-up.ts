/** Deletes what has expired and what nobody will ask for again. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { lowestUuidAt } from '../lib/ids.ts';
import { deleteExpiredAccessTokens } from './statements.ts';

// Kept for a day, so that a list of tokens still shows what ended lately.
const KEEP_EXPIRED_MS = 24 * 3_600_000;
const BATCH_ROWS = 5_000;
// A bound on one run; the next one goes on where it ended.
const MAX_BATCHES = 200;

/** Deletes access tokens that expired more than a day ago, in small transactions; answers how many. */
export async function cleanUpAccessTokens({
  pool,
  clock,
}: {
  readonly pool: Pool;
  readonly clock: Clock;
}): Promise<number> {
  const expiredBefore = new Date(clock.now().getTime() - KEEP_EXPIRED_MS);
  const statement = deleteExpiredAccessTokens(lowestUuidAt(expiredBefore), expiredBefore, BATCH_ROWS);
  let deleted = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const { rowCount } = await pool.query(statement);
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH_ROWS) break;
  }
  return deleted;
}
