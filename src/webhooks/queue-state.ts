/** How the queue and the update log stand, for whoever watches them: two cheap questions, limited in time. */
import type { Pool } from 'pg';
import { inTransaction } from '../platform/database/pool.ts';

export type QueueState = {
  /** Subscriptions with a delivery that is due and not settled. */
  readonly lanes: number;
  /** How long the oldest of these deliveries whose turn it is has been due; 0 when there is none. */
  readonly oldestDueSeconds: number;
};

const STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '1s'";

/** Keys of an ordered lane that are looked at: where it stands still, it does for them as for the others. */
const KEYS_LOOKED_AT = 20;

// Of an ordered lane, when the first of each key is due, by one probe of deliveries_in_order a key. What stands behind it
// is parked, for as long as it takes: nobody could send it.
const WHOSE_TURN_IT_IS = `
  WITH RECURSIVE first AS (
    (SELECT ordering_key, due_at, 1 AS nth FROM deliveries
      WHERE subscription_id = lane.subscription_id AND ordering_key IS NOT NULL AND completed_at IS NULL
      ORDER BY ordering_key, ordering_position LIMIT 1)
    UNION ALL
    SELECT following.*, first.nth + 1 FROM first, LATERAL (
      SELECT ordering_key, due_at FROM deliveries
      WHERE subscription_id = lane.subscription_id AND ordering_key > first.ordering_key AND completed_at IS NULL
      ORDER BY ordering_key, ordering_position LIMIT 1) AS following
    WHERE first.nth < ${KEYS_LOOKED_AT}
  )
  SELECT min(due_at) FROM first WHERE due_at <= $1`;

// A loose scan: one probe of the index deliveries_waiting for each subscription that waits, however much waits there.
const QUEUE_STATE = `
  WITH RECURSIVE lane AS (
    (SELECT subscription_id, due_at, ordering_key FROM deliveries
      WHERE due_at IS NOT NULL ORDER BY subscription_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.* FROM lane, LATERAL (
      SELECT subscription_id, due_at, ordering_key FROM deliveries
      WHERE due_at IS NOT NULL AND subscription_id > lane.subscription_id
      ORDER BY subscription_id, due_at LIMIT 1) AS following
  )
  SELECT count(*)::int AS lanes,
    coalesce(extract(epoch FROM $1 - min(CASE WHEN ordering_key IS NULL THEN due_at ELSE (${WHOSE_TURN_IT_IS}) END)), 0)::float8
      AS "oldestDueSeconds"
  FROM lane WHERE due_at <= $1`;

/** What waits in all lanes. Throws when it takes longer than a second. */
export async function readQueueState(pool: Pool, now: Date): Promise<QueueState> {
  return inTransaction(pool, async (client) => {
    await client.query(STATEMENT_TIMEOUT);
    const { rows } = await client.query<QueueState>({ text: QUEUE_STATE, values: [now] });
    return rows[0] ?? { lanes: 0, oldestDueSeconds: 0 };
  });
}

// Walks delivery_updates_in_commit_order from the first line that has to wait for an older transaction.
const STREAM_LAG = `
  SELECT extract(epoch FROM $1 - at)::float8 AS seconds FROM delivery_updates
  WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY transaction_id, sequence LIMIT 1`;

/**
 * For how many seconds the oldest line of the update log that cannot be read yet has been waiting for an older
 * transaction to end (webhooks rule 36); 0 when all can be read. Throws when it takes longer than a second.
 */
export async function readStreamLag(pool: Pool, now: Date): Promise<number> {
  return inTransaction(pool, async (client) => {
    await client.query(STATEMENT_TIMEOUT);
    const { rows } = await client.query<{ seconds: number }>({ text: STREAM_LAG, values: [now] });
    return Math.max(0, rows[0]?.seconds ?? 0);
  });
}
