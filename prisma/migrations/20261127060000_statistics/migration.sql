-- Statistics of deliveries as rollups (webhooks rule 41, docs/adr/0042): settlement appends what happened as deltas, a
-- job adds them up. No row is written by two, and what is read is the sum of both, exact at any moment.

-- Where a latency falls in the histogram: eight bins for each doubling, 0 up to 1 ms, bin n up to 2 ^ (n / 8) ms. NULL
-- where nobody answered and nothing was waited for.
CREATE FUNCTION optio.latency_bin(p_ms real, p_error_kind text) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN coalesce(p_error_kind, 'none') NOT IN ('none', 'http_status', 'timeout') THEN NULL
    WHEN p_ms > 1 THEN least(ceil(ln(p_ms::float8) * 8 / ln(2::float8)), 127)
    ELSE 0 END::smallint
$$;

-- What settled, not added up yet. `ended`: so many deliveries ended so (less than none: one was sent again by hand).
-- Otherwise so many attempts; `reason` NULL: they succeeded.
CREATE TABLE "delivery_statistics_deltas" (
  "organization_id" UUID NOT NULL,
  "sequence" BIGINT GENERATED ALWAYS AS IDENTITY,
  "minute" TIMESTAMPTZ(3) NOT NULL,
  "subscription_id" UUID NOT NULL,
  "event_type" TEXT NOT NULL,
  "ended" TEXT,
  "reason" TEXT,
  "bin" SMALLINT,
  "count" INTEGER NOT NULL,
  CONSTRAINT "delivery_statistics_deltas_pkey" PRIMARY KEY ("organization_id", "sequence")
);

-- Added up, for each unit of time, and each way to group: 0 of all together, 1 by subscription, 2 by event type, 3 by
-- both. What is not grouped by is the nil UUID, or empty. So a chart reads as many rows as it has points.
CREATE TABLE "delivery_statistics" (
  "organization_id" UUID NOT NULL,
  "unit" TEXT NOT NULL,
  "grouping" SMALLINT NOT NULL,
  "starts_at" TIMESTAMPTZ(3) NOT NULL,
  "subscription_id" UUID NOT NULL,
  "event_type" TEXT NOT NULL,
  "succeeded" BIGINT NOT NULL,
  "failed" BIGINT NOT NULL,
  "attempts" BIGINT NOT NULL,
  -- Attempts that failed, by reason.
  "failures" JSONB NOT NULL DEFAULT '{}',
  -- Attempts by the bin of their latency.
  "latencies" JSONB NOT NULL DEFAULT '{}',
  CONSTRAINT "delivery_statistics_pkey" PRIMARY KEY ("organization_id", "unit", "grouping", "starts_at", "subscription_id", "event_type")
) WITH (fillfactor = 70);
-- For forgetting.
CREATE INDEX "delivery_statistics_unit_starts_at_idx" ON "delivery_statistics" ("unit", "starts_at");

ALTER TABLE "delivery_statistics_deltas" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "delivery_statistics" ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON "delivery_statistics_deltas" TO optio_tenant;
GRANT SELECT ON "delivery_statistics" TO optio_tenant;
GRANT SELECT, INSERT, DELETE ON "delivery_statistics_deltas" TO optio_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON "delivery_statistics" TO optio_worker;
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['delivery_statistics_deltas', 'delivery_statistics'] LOOP
    EXECUTE format(
      'CREATE POLICY tenant_admin ON %I TO optio_tenant
         USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid AND optio.is_admin())', name);
    EXECUTE format('CREATE POLICY worker ON %I TO optio_worker USING (true)', name);
  END LOOP;
END $$;

-- The sum of two objects of counts; what comes to nothing is left out.
CREATE FUNCTION optio.add_counts(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN b = '{}' THEN a WHEN a = '{}' THEN b ELSE (
    SELECT coalesce(jsonb_object_agg(key, total), '{}') FROM (
      SELECT key, sum(value::bigint) AS total
      FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) AS both_of_them
      GROUP BY key HAVING sum(value::bigint) <> 0) AS totals
  ) END
$$;

-- Adds up to p_limit deltas into the rollups, in the caller's transaction, and answers how many; 0 also while somebody
-- else does. p_units with p_since: what is older than its unit is kept for is not counted there any more.
CREATE FUNCTION optio.compact_statistics(p_units text[], p_since timestamptz[], p_limit int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  v_taken int;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7431, 41) THEN
    RETURN 0;
  END IF;
  WITH taken AS (
    DELETE FROM delivery_statistics_deltas WHERE (organization_id, sequence) IN (
      SELECT organization_id, sequence FROM delivery_statistics_deltas ORDER BY organization_id, sequence LIMIT p_limit)
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

-- Counts an organization anew from the history that is kept, in place of what was counted before. In one statement, so
-- that what settles meanwhile is counted once, here or by its own delta.
CREATE FUNCTION optio.recount_statistics(p_organization_id uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7431, 41);
  WITH forgotten AS (
    DELETE FROM delivery_statistics WHERE organization_id = p_organization_id
  ), undone AS (
    DELETE FROM delivery_statistics_deltas WHERE organization_id = p_organization_id
  )
  INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, reason, bin, count)
  SELECT d.organization_id, date_trunc('minute', a.started_at), d.subscription_id, d.event_type, NULL, a.error_kind,
    optio.latency_bin(a.total_ms, a.error_kind), count(*)
  FROM delivery_attempts a JOIN deliveries d ON d.organization_id = a.organization_id AND d.id = a.delivery_id
  WHERE a.organization_id = p_organization_id
  GROUP BY 1, 2, 3, 4, 6, 7
  UNION ALL
  SELECT organization_id, date_trunc('minute', completed_at), subscription_id, event_type, status::text, NULL, NULL, count(*)
  FROM deliveries WHERE organization_id = p_organization_id AND status IN ('SUCCEEDED', 'FAILED')
  GROUP BY 1, 2, 3, 4, 5;
END $$;

REVOKE ALL ON FUNCTION optio.compact_statistics(text[], timestamptz[], int), optio.recount_statistics(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION optio.compact_statistics(text[], timestamptz[], int) TO optio_worker;

-- What settled before there were statistics.
DO $$
DECLARE
  v_id uuid;
BEGIN
  FOR v_id IN SELECT id FROM organizations LOOP
    PERFORM optio.recount_statistics(v_id);
  END LOOP;
END $$;
