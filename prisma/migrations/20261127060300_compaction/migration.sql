-- As before, but each piece reads its own deltas alone: by a join it read all that wait, piece after piece.

-- Adds up to p_limit deltas into the rollups, in the caller's transaction, and answers how many; 0 also while somebody
-- else does. p_units with p_since: what is older than its unit is kept for is not counted there any more.
CREATE OR REPLACE FUNCTION optio.compact_statistics(p_units text[], p_since timestamptz[], p_limit int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  v_taken int;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7431, 41) THEN
    RETURN 0;
  END IF;
  WITH taken AS (
    DELETE FROM delivery_statistics_deltas WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM delivery_statistics_deltas ORDER BY organization_id, sequence LIMIT p_limit))
    RETURNING *
  ), spread AS (
    SELECT t.organization_id, u.unit, g.grouping, date_trunc(u.unit, t.minute, 'UTC') AS starts_at,
      CASE WHEN g.grouping & 1 = 1 THEN t.subscription_id ELSE '00000000-0000-0000-0000-000000000000' END AS subscription_id,
      CASE WHEN g.grouping & 2 = 2 THEN t.event_type ELSE '' END AS event_type,
      t.ended, t.reason, t.bin, sum(t.count) AS count
    FROM taken t
    JOIN unnest(p_units, p_since) AS u (unit, since) ON date_trunc(u.unit, t.minute, 'UTC') >= u.since
    CROSS JOIN generate_series(0, 3) AS g (grouping)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
  ), sums AS (
    SELECT organization_id, unit, grouping, starts_at, subscription_id, event_type,
      coalesce(sum(count) FILTER (WHERE ended = 'SUCCEEDED'), 0) AS succeeded,
      coalesce(sum(count) FILTER (WHERE ended = 'FAILED'), 0) AS failed,
      coalesce(sum(count) FILTER (WHERE ended IS NULL), 0) AS attempts
    FROM spread GROUP BY 1, 2, 3, 4, 5, 6
  ), reasons AS (
    SELECT organization_id, unit, grouping, starts_at, subscription_id, event_type, jsonb_object_agg(reason, count) AS failures
    FROM (SELECT organization_id, unit, grouping, starts_at, subscription_id, event_type, reason, sum(count) AS count
          FROM spread WHERE reason IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7) AS r
    GROUP BY 1, 2, 3, 4, 5, 6
  ), bins AS (
    SELECT organization_id, unit, grouping, starts_at, subscription_id, event_type, jsonb_object_agg(bin, count) AS latencies
    FROM (SELECT organization_id, unit, grouping, starts_at, subscription_id, event_type, bin, sum(count) AS count
          FROM spread WHERE bin IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7) AS b
    GROUP BY 1, 2, 3, 4, 5, 6
  ), added AS (
    INSERT INTO delivery_statistics AS s (organization_id, unit, grouping, starts_at, subscription_id, event_type,
      succeeded, failed, attempts, failures, latencies)
    SELECT organization_id, unit, grouping, starts_at, subscription_id, event_type, succeeded, failed, attempts,
      coalesce(failures, '{}'), coalesce(latencies, '{}')
    FROM sums
    LEFT JOIN reasons USING (organization_id, unit, grouping, starts_at, subscription_id, event_type)
    LEFT JOIN bins USING (organization_id, unit, grouping, starts_at, subscription_id, event_type)
    ON CONFLICT (organization_id, unit, grouping, starts_at, subscription_id, event_type) DO UPDATE SET
      succeeded = s.succeeded + excluded.succeeded,
      failed = s.failed + excluded.failed,
      attempts = s.attempts + excluded.attempts,
      failures = optio.add_counts(s.failures, excluded.failures),
      latencies = optio.add_counts(s.latencies, excluded.latencies)
  )
  SELECT count(*) INTO v_taken FROM taken;
  RETURN v_taken;
END $$;
