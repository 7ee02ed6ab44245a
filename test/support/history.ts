/** History as if it had been made at another time: events with a delivery and two attempts each. */
import { lowestUuidAt, newId } from '../../src/lib/ids.ts';
import { query } from './database.ts';

export type History = {
  readonly at: Date;
  readonly count: number;
  /** Of the deliveries. */
  readonly status: string;
};

/** Stores it for an organization. Twice at the same time it would meet the same ids. */
export async function storeHistory(
  ownerUrl: string,
  organizationId: string,
  { at, count = 1, status = 'SUCCEEDED' }: Pick<History, 'at'> & Partial<History>,
): Promise<void> {
  await query(
    ownerUrl,
    `WITH made AS (SELECT (left($2, 24) || lpad(to_hex(n), 12, '0'))::uuid AS id FROM generate_series(1, $3::int) AS n),
     event AS (INSERT INTO events (organization_id, id, type, occurred_at, body) SELECT $1, id, 'task.completed', now(), '{"data":{"user_id":"ada"}}' FROM made),
     delivery AS (
       INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at, completed_at)
       SELECT $1, id, $4, id, 'task.completed', $5::"DeliveryStatus",
         CASE WHEN $5 IN ('PENDING', 'RETRYING') THEN now() END,
         CASE WHEN $5 NOT IN ('PENDING', 'RETRYING', 'HELD') THEN now() END FROM made)
     INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, total_ms, request_headers, response_code, response_body)
     SELECT $1, id, n, now(), 1, '[]', 200, 'ok' FROM made, generate_series(1, 2) AS n`,
    [organizationId, lowestUuidAt(at), count, newId(), status],
  );
}
