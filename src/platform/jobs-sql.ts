/** The one statement on pg-boss's tables that is ours. What it relies on is tested (test/platform/jobs.test.ts). */

// As `insert` and `fetch` in one, for turns that nobody has, most often: their jobs begin as active ones. The unique index
// job_i3 (policy `stately`) holds one active and one waiting job of a key: whose turn somebody has is queued instead.
// Keys are taken in order, so that two that ask for the same ones do not wait for each other.
const COLUMNS = `name, data, singleton_key, policy, expire_seconds, deletion_seconds, keep_until, retry_limit, retry_delay,
  retry_backoff, retry_delay_max, heartbeat_seconds`;

export const TAKE_OR_QUEUE = `
  WITH turn AS (
    SELECT q.name, a.data, a.key, q.policy, q.expire_seconds, q.deletion_seconds, now() + q.retention_seconds * interval '1 second',
      q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.heartbeat_seconds
    FROM pgboss.queue q CROSS JOIN unnest($2::text[], $3::jsonb[]) AS a (key, data)
    WHERE q.name = $1 ORDER BY a.key
  ), taken AS (
    INSERT INTO pgboss.job (${COLUMNS}, state, started_on, heartbeat_on)
    SELECT turn.*, 'active', now(), now() FROM turn
    ON CONFLICT DO NOTHING
    RETURNING id, singleton_key, data, retry_count
  ), queued AS (
    INSERT INTO pgboss.job (${COLUMNS})
    SELECT turn.* FROM turn WHERE turn.key NOT IN (SELECT singleton_key FROM taken)
    ON CONFLICT DO NOTHING
  )
  SELECT id, data, retry_count AS "retryCount" FROM taken`;
