-- An organization may keep its history for a shorter time than the server does (webhooks rule 40, docs/adr/0050). Null: as
-- long as the server. What is longer than the server's time has no effect.

ALTER TABLE "organizations" ADD COLUMN "retention_days" INTEGER, ADD COLUMN "body_retention_days" INTEGER;
ALTER TABLE "organizations" ADD CONSTRAINT "organizations_retention"
  CHECK ("retention_days" BETWEEN 7 AND 3650 AND "body_retention_days" BETWEEN 1 AND 3650);

-- As optio.strip_bodies, which processes that are older than this still call: but what is too old is told by the days of
-- each organization, or of the server (null: as long as the rows), whichever are fewer.
CREATE FUNCTION optio.strip_old_bodies(p_now timestamptz, p_days int, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  v_nil uuid := '00000000-0000-0000-0000-000000000000';
  v_looked int := 0;
  v_ids uuid[];
  v_last uuid;
  o record;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7431, 40) THEN
    RETURN 0;
  END IF;
  FOR o IN
    SELECT organizations.id, t.upto, coalesce(r.events_position, v_nil) AS events_position,
      coalesce(r.attempts_position, v_nil) AS attempts_position
    FROM organizations
    CROSS JOIN LATERAL (SELECT optio.uuid_at(p_now - make_interval(days => least(p_days, body_retention_days))) AS upto) AS t
    LEFT JOIN body_retention r ON r.organization_id = organizations.id
    WHERE least(p_days, body_retention_days) IS NOT NULL
      AND (coalesce(r.events_position, v_nil) < t.upto OR coalesce(r.attempts_position, v_nil) < t.upto)
    ORDER BY organizations.id
  LOOP
    EXIT WHEN v_looked >= p_limit;
    v_ids := ARRAY(SELECT id FROM events
      WHERE organization_id = o.id AND id > o.events_position AND id < o.upto ORDER BY id LIMIT p_limit);
    v_last := CASE WHEN cardinality(v_ids) < p_limit THEN greatest(o.upto, o.events_position) ELSE v_ids[p_limit] END;
    UPDATE events e SET body = NULL
      WHERE organization_id = o.id AND id > o.events_position AND id <= v_last AND id = ANY (v_ids) AND body IS NOT NULL
        AND NOT EXISTS (
          SELECT FROM deliveries d WHERE d.organization_id = o.id AND d.event_id = e.id AND d.completed_at IS NULL);
    INSERT INTO body_retention AS b (organization_id, events_position, attempts_position) VALUES (o.id, v_last, v_nil)
      ON CONFLICT (organization_id) DO UPDATE SET events_position = excluded.events_position;
    v_looked := v_looked + cardinality(v_ids);

    v_ids := ARRAY(SELECT delivery_id FROM delivery_attempts
      WHERE organization_id = o.id AND delivery_id > o.attempts_position AND delivery_id < o.upto
      ORDER BY delivery_id LIMIT p_limit);
    v_last := CASE WHEN cardinality(v_ids) < p_limit THEN greatest(o.upto, o.attempts_position) ELSE v_ids[p_limit] END;
    UPDATE delivery_attempts SET response_body = NULL
      WHERE organization_id = o.id AND delivery_id > o.attempts_position AND delivery_id <= v_last
        AND delivery_id = ANY (v_ids) AND response_body IS NOT NULL;
    UPDATE body_retention SET attempts_position = v_last WHERE organization_id = o.id;
    v_looked := v_looked + cardinality(v_ids);
  END LOOP;
  RETURN v_looked;
END $$;

-- The organizations whose rows go sooner than p_days, by id behind p_after: the worker itself may not look at them.
CREATE FUNCTION optio.shorter_retentions(p_days int, p_after uuid, p_limit int)
RETURNS TABLE (organization_id uuid, days int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id, retention_days FROM organizations WHERE retention_days < p_days AND id > p_after ORDER BY id LIMIT p_limit
$$;

-- Deletes what an organization has that is older than p_before: of the next p_limit deliveries behind p_delivery those
-- that have ended, with their attempts, and of the next p_limit events behind p_event those that no other delivery
-- needs. Answers how far it came, for the next call; null: there is nothing behind, or somebody else is at it. Ranges of
-- the primary keys, so that no partition is opened in which nothing old can lie.
CREATE FUNCTION optio.delete_old_rows(p_organization uuid, p_before timestamptz, p_limit int,
  INOUT p_delivery uuid, INOUT p_event uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  v_to uuid := optio.uuid_at(p_before);
  v_after uuid;
  v_ids uuid[];
  v_gone uuid[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(7431, 42) THEN
    p_delivery := NULL;
    p_event := NULL;
    RETURN;
  END IF;
  v_after := p_delivery;
  v_ids := ARRAY(SELECT id FROM deliveries
    WHERE organization_id = p_organization AND id > v_after AND id < v_to ORDER BY id LIMIT p_limit);
  p_delivery := v_ids[p_limit];
  WITH gone AS (
    DELETE FROM deliveries WHERE organization_id = p_organization AND id > v_after AND id < v_to AND id = ANY (v_ids)
      AND completed_at IS NOT NULL
    RETURNING id)
  SELECT array_agg(id) INTO v_gone FROM gone;
  DELETE FROM delivery_attempts WHERE organization_id = p_organization AND delivery_id > v_after AND delivery_id < v_to
    AND delivery_id = ANY (v_gone);

  v_after := p_event;
  v_ids := ARRAY(SELECT id FROM events
    WHERE organization_id = p_organization AND id > v_after AND id < v_to ORDER BY id LIMIT p_limit);
  p_event := v_ids[p_limit];
  DELETE FROM events e WHERE organization_id = p_organization AND id > v_after AND id < v_to AND id = ANY (v_ids)
    AND NOT EXISTS (
      SELECT FROM deliveries d WHERE d.organization_id = p_organization AND d.event_id = e.id AND d.completed_at IS NULL);
END $$;

REVOKE ALL ON FUNCTION optio.strip_old_bodies(timestamptz, int, int), optio.shorter_retentions(int, uuid, int),
  optio.delete_old_rows(uuid, timestamptz, int, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION optio.strip_old_bodies(timestamptz, int, int), optio.shorter_retentions(int, uuid, int),
  optio.delete_old_rows(uuid, timestamptz, int, uuid, uuid) TO optio_worker;
