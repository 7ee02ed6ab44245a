-- A subscription's status is the truth at once; its deliveries follow in bounded pieces (docs/adr/0020).
-- optio.hold_deliveries, release_deliveries and cancel_deliveries stay for processes of the release before.

-- Test events of a subscription that is not active: found without reading what else waits there.
CREATE INDEX "deliveries_waiting_tests" ON "deliveries" ("subscription_id", "due_at", "id") WHERE "due_at" IS NOT NULL AND "is_test";

-- Brings up to p_limit deliveries of a subscription to where its status says they belong: cancelled when it is deleted,
-- held while it is not active (tests excepted), due when it is active. Answers how many it moved; fewer than p_limit:
-- there were no more. It never waits: a row that somebody else holds (an attempt that is being settled) is left for the
-- next time, so that it cannot be part of a deadlock.
CREATE FUNCTION optio.move_deliveries(p_organization_id uuid, p_subscription_id uuid, p_now timestamptz, p_limit int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  v_goal text := (SELECT CASE WHEN deleted_at IS NOT NULL THEN 'cancel' WHEN status = 'ACTIVE' THEN 'release' ELSE 'hold' END
    FROM webhook_subscriptions WHERE organization_id = p_organization_id AND id = p_subscription_id);
  v_ids uuid[] := '{}';
  v_moved int;
BEGIN
  IF v_goal IN ('hold', 'cancel') THEN
    v_ids := ARRAY(SELECT id FROM deliveries
      WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND due_at IS NOT NULL
        AND (v_goal = 'cancel' OR NOT is_test)
      ORDER BY due_at, id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  IF v_goal IN ('release', 'cancel') AND cardinality(v_ids) < p_limit THEN
    v_ids := v_ids || ARRAY(SELECT id FROM deliveries
      WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND status = 'HELD'
      ORDER BY id LIMIT p_limit - cardinality(v_ids) FOR NO KEY UPDATE SKIP LOCKED);
  END IF;

  WITH moved AS (
    UPDATE deliveries SET version = version + 1,
      status = CASE v_goal WHEN 'hold' THEN 'HELD' WHEN 'cancel' THEN 'CANCELLED'
        ELSE CASE attempt_count WHEN 0 THEN 'PENDING' ELSE 'RETRYING' END END::"DeliveryStatus",
      due_at = CASE v_goal WHEN 'release' THEN p_now END,
      completed_at = CASE v_goal WHEN 'cancel' THEN p_now END
    WHERE organization_id = p_organization_id AND id = ANY (v_ids)
    RETURNING *
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count FROM moved
  )
  SELECT count(*) INTO v_moved FROM moved;
  RETURN v_moved;
END $$;
REVOKE ALL ON FUNCTION optio.move_deliveries(uuid, uuid, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION optio.move_deliveries(uuid, uuid, timestamptz, int) TO optio_tenant, optio_worker;
