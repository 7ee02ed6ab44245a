-- Bodies end sooner than the rows they belong to (webhooks rule 40, docs/adr/0044): what events say, and what receivers
-- answered, is taken out in pieces, up to a position that only moves on, so that nothing is looked at twice.

CREATE TABLE "body_retention" (
  "organization_id" UUID NOT NULL,
  "events_position" UUID NOT NULL,
  "attempts_position" UUID NOT NULL,
  CONSTRAINT "body_retention_pkey" PRIMARY KEY ("organization_id")
);
ALTER TABLE "body_retention" ENABLE ROW LEVEL SECURITY;

-- Takes the bodies out of events and attempts that are older than p_before, of about p_limit rows, and answers how many
-- were looked at; less than p_limit: there are no more. What a delivery that has not ended needs is left to the end of its
-- rows. 0 also while somebody else is at it.
CREATE FUNCTION optio.strip_bodies(p_before timestamptz, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  v_to uuid := optio.uuid_at(p_before);
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
    SELECT organizations.id, coalesce(r.events_position, v_nil) AS events_position, coalesce(r.attempts_position, v_nil) AS attempts_position
    FROM organizations LEFT JOIN body_retention r ON r.organization_id = organizations.id
    WHERE coalesce(r.events_position, v_nil) < v_to OR coalesce(r.attempts_position, v_nil) < v_to
    ORDER BY organizations.id
  LOOP
    EXIT WHEN v_looked >= p_limit;
    v_ids := ARRAY(SELECT id FROM events
      WHERE organization_id = o.id AND id > o.events_position AND id < v_to ORDER BY id LIMIT p_limit);
    v_last := CASE WHEN cardinality(v_ids) < p_limit THEN greatest(v_to, o.events_position) ELSE v_ids[p_limit] END;
    UPDATE events e SET body = NULL
      WHERE organization_id = o.id AND id = ANY (v_ids) AND body IS NOT NULL AND NOT EXISTS (
        SELECT FROM deliveries d WHERE d.organization_id = o.id AND d.event_id = e.id AND d.completed_at IS NULL);
    INSERT INTO body_retention AS b (organization_id, events_position, attempts_position) VALUES (o.id, v_last, v_nil)
      ON CONFLICT (organization_id) DO UPDATE SET events_position = excluded.events_position;
    v_looked := v_looked + cardinality(v_ids);

    v_ids := ARRAY(SELECT delivery_id FROM delivery_attempts
      WHERE organization_id = o.id AND delivery_id > o.attempts_position AND delivery_id < v_to ORDER BY delivery_id LIMIT p_limit);
    v_last := CASE WHEN cardinality(v_ids) < p_limit THEN greatest(v_to, o.attempts_position) ELSE v_ids[p_limit] END;
    UPDATE delivery_attempts SET response_body = NULL
      WHERE organization_id = o.id AND delivery_id = ANY (v_ids) AND response_body IS NOT NULL;
    UPDATE body_retention SET attempts_position = v_last WHERE organization_id = o.id;
    v_looked := v_looked + cardinality(v_ids);
  END LOOP;
  RETURN v_looked;
END $$;
REVOKE ALL ON FUNCTION optio.strip_bodies(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION optio.strip_bodies(timestamptz, int) TO optio_worker;
