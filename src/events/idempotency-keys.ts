/** Idempotency keys, of events and of mutations, are kept for 24 hours (webhooks rule 2); this forgets them. */
import type { Pool } from 'pg';

const BATCH_ROWS = 5_000;
// A bound on one run; the next one goes on where it ended.
const MAX_BATCHES = 1_000;

// Each walks its index on expires_at.
const FORGET = ['event_idempotency_keys', 'mutation_idempotency_keys'].map(
  (table) => `
  DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ${table} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2))`,
);

/** Deletes the keys that have expired, in small transactions; answers how many. `pool` logs in as the worker. */
export async function forgetExpiredKeys(pool: Pool, now: Date): Promise<number> {
  let deleted = 0;
  for (const statement of FORGET) deleted += await deleteInBatches(pool, statement, now);
  return deleted;
}

async function deleteInBatches(pool: Pool, statement: string, now: Date): Promise<number> {
  let deleted = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const { rowCount } = await pool.query(statement, [now, BATCH_ROWS]);
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < BATCH_ROWS) break;
  }
  return deleted;
}
