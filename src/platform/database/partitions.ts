/** Partitions of what grows: made ahead, and dropped when their time is over (webhooks rule 40, docs/adr/0022). */
import type { Pool } from 'pg';
import { deleteOldRows, stripOldBodies } from './organization-retention.ts';

export type Retention = {
  /** Events, deliveries and their attempts. */
  readonly days: number;
  /** What events say and receivers answered; as long as the rows, if left out. */
  readonly bodyDays?: number | undefined;
  /** The update log: how far back a stream can be resumed. */
  readonly updateLogDays: number;
};

export type PartitionOptions = {
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  readonly now: Date;
  readonly retention: Retention;
};

const DAY_MS = 86_400_000;
// They live for an hour; then a list may show them for a while.
const ACCESS_TOKEN_DAYS = 2;
const STRAYS_AT_ONCE = 5_000;
const MAX_STEPS = 1_000;

/**
 * Makes the partitions ahead and drops those that ended before the retention began, each in a transaction of its own;
 * answers the names of those dropped. A partition with deliveries that have not ended stays. Throws when a lock cannot
 * be had within two seconds: the next run goes on where this one ended. Then ends, in pieces, what organizations keep for
 * a shorter time. Safe to run anywhere at the same time.
 */
export async function keepPartitions({ pool, now, retention }: PartitionOptions): Promise<readonly string[]> {
  await pool.query('SELECT optio.ensure_partitions($1)', [now]);
  const dropped: string[] = [];
  for (const [table, days] of limits(retention)) {
    const before = new Date(now.getTime() - days * DAY_MS);
    dropped.push(...(await dropPartitions(pool, table, before)));
    await deleteStrays(pool, table, before);
  }
  await deleteOldRows(pool, { now, days: retention.days });
  await stripOldBodies(pool, { now, days: retention.bodyDays });
  return dropped;
}

// Deliveries before what they refer to, so that a run that is broken off leaves no delivery without its event.
function limits({ days, updateLogDays }: Retention): readonly (readonly [string, number])[] {
  return [
    ['deliveries', days],
    ['delivery_attempts', days],
    ['events', days],
    ['delivery_updates', updateLogDays],
    ['oauth_access_tokens', ACCESS_TOKEN_DAYS],
  ];
}

async function dropPartitions(pool: Pool, table: string, before: Date): Promise<readonly string[]> {
  const dropped: string[] = [];
  for (let step = 0; step < MAX_STEPS; step++) {
    const { rows } = await pool.query<{ name: string | null }>(
      'SELECT optio.drop_expired_partition($1, $2) AS name',
      [table, before],
    );
    const name = rows[0]?.name ?? null;
    if (name === null) break;
    dropped.push(name);
  }
  return dropped;
}

async function deleteStrays(pool: Pool, table: string, before: Date): Promise<void> {
  for (let step = 0; step < MAX_STEPS; step++) {
    const { rows } = await pool.query<{ deleted: number }>(
      'SELECT optio.delete_expired_strays($1, $2, $3) AS deleted',
      [table, before, STRAYS_AT_ONCE],
    );
    if ((rows[0]?.deleted ?? 0) < STRAYS_AT_ONCE) return;
  }
}
