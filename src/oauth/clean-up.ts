/** Deletes what has expired and what nobody will ask for again (oauth rule 60). */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { lowestUuidAt } from '../lib/ids.ts';
import { inBatches } from '../platform/database/in-batches.ts';
import {
  deleteExpiredAccessTokens,
  deleteExpiredGrants,
  deleteExpiredRefreshTokens,
  deleteExpiredSecrets,
  deleteUnusedGrants,
} from './clean-up-statements.ts';

// Kept for a day, so that lists still show what ended lately.
const KEEP_EXPIRED_MS = 24 * 3_600_000;
const BATCH_ROWS = 5_000;
// Each takes its code and its refresh tokens along, some hundreds at worst.
const BATCH_GRANTS = 500;

/**
 * Deletes in small transactions what expired more than a day ago; answers how many rows that were, without those that
 * went along. A code that was used and a refresh token that was exchanged stay until they expire and no shorter, so that
 * their second use is known for what it is: a code as long as its grant.
 */
export async function cleanUp({
  pool,
  clock,
}: {
  readonly pool: Pool;
  readonly clock: Clock;
}): Promise<number> {
  const before = new Date(clock.now().getTime() - KEEP_EXPIRED_MS);
  const pieces = [
    [deleteExpiredAccessTokens(lowestUuidAt(before), before, BATCH_ROWS), BATCH_ROWS],
    [deleteUnusedGrants(before, BATCH_GRANTS), BATCH_GRANTS],
    [deleteExpiredRefreshTokens(before, BATCH_ROWS), BATCH_ROWS],
    [deleteExpiredGrants(before, BATCH_GRANTS), BATCH_GRANTS],
    [deleteExpiredSecrets(before, BATCH_ROWS), BATCH_ROWS],
  ] as const;
  let deleted = 0;
  for (const [statement, rows] of pieces) deleted += await inBatches(pool, statement, rows);
  return deleted;
}
