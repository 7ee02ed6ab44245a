/**
 * Reads the update log in the order of commits. A number drawn from a sequence is not enough for that: a line with a
 * lower one may be committed later. So only what is older than every transaction still running is read, ordered by
 * transaction and line; that order never changes behind a reader.
 */
import type { Pool } from 'pg';
import type { DeliveryUpdate } from './update.ts';
import type { LogPosition } from './update-cursor.ts';

/** A line of the log, with its place in it. */
export type LogLine = LogPosition & Omit<DeliveryUpdate, 'cursor'>;

const COLUMNS = `
  organization_id AS "organizationId", transaction_id::text AS transaction, sequence::text AS sequence,
  delivery_id AS "deliveryId", version, at, subscription_id AS "subscriptionId", event_type AS "eventType", status,
  attempt_number AS "attemptNumber", response_code AS "responseCode", duration_ms AS "durationMs", error`;

// ORDER BY names the table's columns: a bare `sequence` would be the text that is put out, and 10 come before 9.
// Walks delivery_updates_in_commit_order from the cursor on.
const READ_AFTER = `
  SELECT ${COLUMNS} FROM delivery_updates u
  WHERE (transaction_id, sequence) > ($1::xid8, $2::bigint) AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY u.transaction_id, u.sequence LIMIT $3`;

// Walks the primary key, which begins with the organization.
const READ_ORGANIZATION_AFTER = `
  SELECT ${COLUMNS} FROM delivery_updates u
  WHERE organization_id = $4 AND (transaction_id, sequence) > ($1::xid8, $2::bigint)
    AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY u.transaction_id, u.sequence LIMIT $3`;

const READ_START = `
  SELECT optio.stream_epoch() AS epoch, pg_snapshot_xmin(pg_current_snapshot())::text AS tail,
         log_starts_at::text AS "startsAt" FROM installation`;

type Row = Omit<LogLine, 'transaction' | 'sequence'> & {
  readonly transaction: string;
  readonly sequence: string;
};

/** The lines after a position that can be read by now; of one organization, or of all. At most `limit`. */
export async function readLog(
  pool: Pool,
  after: LogPosition,
  limit: number,
  organizationId?: string,
): Promise<readonly LogLine[]> {
  const place = [String(after.transaction), String(after.sequence), limit];
  const query =
    organizationId === undefined
      ? { name: 'read-log', text: READ_AFTER, values: place }
      : { name: 'read-organization-log', text: READ_ORGANIZATION_AFTER, values: [...place, organizationId] };
  const { rows } = await pool.query<Row>(query);
  return rows.map((row) => ({
    ...row,
    transaction: BigInt(row.transaction),
    sequence: BigInt(row.sequence),
  }));
}

export type LogState = {
  readonly epoch: string;
  /** Everything before it can be read; what comes is after it. */
  readonly tail: LogPosition;
  /** Lines of older transactions are no longer kept. */
  readonly startsAt: bigint;
};

/** Where the log stands now. */
export async function readLogState(pool: Pool): Promise<LogState> {
  const { rows } = await pool.query<{ epoch: string; tail: string; startsAt: string }>(READ_START);
  const row = rows[0];
  if (row === undefined) throw new Error('The table installation has lost its row.');
  // Sequence 0 comes before every line of that transaction.
  return {
    epoch: row.epoch,
    tail: { transaction: BigInt(row.tail), sequence: 0n },
    startsAt: BigInt(row.startsAt),
  };
}
