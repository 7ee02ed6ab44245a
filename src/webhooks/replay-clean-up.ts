/** Replays that have ended are kept for as long as deliveries (webhooks rule 40). */
import type { Pool } from 'pg';

export type ReplayAge = {
  readonly now: Date;
  /** Days after its end. */
  readonly days: number;
};

const DAY_MS = 86_400_000;
const AT_ONCE = 1_000;
// A bound on one run; the next one goes on where it ended.
const MAX_PIECES = 1_000;

// Walks replays_ended_at. What a delivery leads to that has not ended stays: deliveries_of_replay_open is small.
const FORGET = `
  DELETE FROM replays WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM replays r
    WHERE ended_at <= $1
      AND NOT EXISTS (SELECT FROM deliveries d WHERE d.replay_id = r.id AND d.completed_at IS NULL)
    ORDER BY ended_at LIMIT $2))`;

/** Deletes the replays that ended so long ago, in small transactions; answers how many. `pool` logs in as the worker. */
export async function forgetReplays(pool: Pool, { now, days }: ReplayAge): Promise<number> {
  const before = new Date(now.getTime() - days * DAY_MS);
  let deleted = 0;
  for (let piece = 0; piece < MAX_PIECES; piece++) {
    const { rowCount } = await pool.query(FORGET, [before, AT_ONCE]);
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < AT_ONCE) break;
  }
  return deleted;
}
