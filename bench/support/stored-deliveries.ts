/** A delivery log of some size, put in by SQL: succeeded deliveries of one organization, an attempt each. */
import type { Client as Database } from 'pg';

// The time in their ids is that of the last days, so that they lie in the partitions that the server has.
const FILL = `
  WITH subscription AS (
    SELECT organization_id, id, row_number() OVER (ORDER BY id) - 1 AS number, count(*) OVER () AS count
    FROM webhook_subscriptions
  ), row AS (
    SELECT subscription.organization_id, subscription.id AS subscription_id, at,
      overlay(gen_random_uuid()::text PLACING left(optio.uuid_at(at)::text, 15) FROM 1 FOR 15)::uuid AS id
    FROM generate_series(1, $1::int) AS i
    JOIN subscription ON subscription.number = i % subscription.count
    CROSS JOIN LATERAL (SELECT now() - i * interval '2 seconds' AS at) AS t
  ), delivery AS (
    INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, attempt_count,
      version, last_response_code, completed_at)
    SELECT organization_id, id, subscription_id, id, 'task.completed', 'SUCCEEDED', 1, 2, 200, at FROM row
    RETURNING organization_id, id, completed_at
  )
  INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, dns_ms, connect_ms, first_byte_ms,
    total_ms, request_headers, response_code, response_headers, response_body)
  SELECT organization_id, id, 1, completed_at, 0, 1, 12, 13, '{"content-type": "application/json"}', 200,
    '{"content-type": "text/plain"}', 'ok'
  FROM delivery`;

/** Puts them in, newest last week at the latest, spread over all subscriptions; then gathers statistics. */
export async function storeDeliveries(database: Database, count: number): Promise<void> {
  await database.query(FILL, [count]);
  await database.query('ANALYZE deliveries, delivery_attempts, webhook_subscriptions');
}
