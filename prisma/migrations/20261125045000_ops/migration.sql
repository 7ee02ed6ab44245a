-- A database that was restored from a dump into another cluster may hold lines of the update log from transactions that
-- lie in the future there. They would hold back nothing now, but come up as news once the counter reaches them. A new
-- epoch has no use for them: nobody can go on from a cursor of the old one.
CREATE OR REPLACE FUNCTION optio.stream_epoch() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_epoch uuid;
  v_is_new boolean;
  v_fingerprint text := (SELECT format('%s/%s/%s', s.system_identifier, c.timeline_id,
    (SELECT oid FROM pg_database WHERE datname = current_database()))
    FROM pg_control_system() s, pg_control_checkpoint() c);
BEGIN
  UPDATE installation SET fingerprint = v_fingerprint,
    stream_epoch = CASE fingerprint WHEN '' THEN stream_epoch ELSE gen_random_uuid() END
    WHERE fingerprint <> v_fingerprint
    RETURNING true INTO v_is_new;
  IF v_is_new THEN
    -- What no transaction of this cluster can have written. Uses delivery_updates_in_commit_order.
    DELETE FROM delivery_updates WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot());
  END IF;
  SELECT stream_epoch INTO v_epoch FROM installation;
  RETURN v_epoch;
END $$;
