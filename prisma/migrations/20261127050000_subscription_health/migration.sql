-- A subscription that keeps failing is disabled, the organization's others hear of it, and whoever enables it again decides
-- what becomes of what was held (webhooks rules 21, 22; docs/adr/0039).

-- Since when it is active; failures from before that do not count. Null: since it was made.
ALTER TABLE "webhook_subscriptions" ADD COLUMN "active_since" TIMESTAMPTZ(3);
-- Deliveries that were held and are older than this are discarded; null when that is done.
ALTER TABLE "webhook_subscriptions" ADD COLUMN "discard_before" UUID;
CREATE INDEX "webhook_subscriptions_discarding" ON "webhook_subscriptions" ("organization_id", "id") WHERE "discard_before" IS NOT NULL;

-- As before, but for two things: what is to be discarded is cancelled first, whatever the status is by now; and when nothing
-- of it is left, that is noted, so that a delivery that is asked for again later is not taken for one of them.
CREATE OR REPLACE FUNCTION optio.move_deliveries(p_organization_id uuid, p_subscription_id uuid, p_now timestamptz, p_limit int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  v_goal text;
  v_discard_before uuid;
  v_discarded uuid[] := '{}';
  v_ids uuid[] := '{}';
  v_moved int;
BEGIN
  SELECT CASE WHEN deleted_at IS NOT NULL THEN 'cancel' WHEN status = 'ACTIVE' THEN 'release' ELSE 'hold' END, discard_before
    INTO v_goal, v_discard_before
    FROM webhook_subscriptions WHERE organization_id = p_organization_id AND id = p_subscription_id;
  IF v_discard_before IS NOT NULL THEN
    v_discarded := ARRAY(SELECT id FROM deliveries
      WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND status = 'HELD' AND id < v_discard_before
      ORDER BY id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED);
    v_discarded := v_discarded || ARRAY(SELECT id FROM deliveries
      WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND due_at IS NOT NULL AND NOT is_test
        AND id < v_discard_before
      ORDER BY due_at, id LIMIT p_limit - cardinality(v_discarded) FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  IF v_goal IN ('hold', 'cancel') AND cardinality(v_discarded) < p_limit THEN
    v_ids := ARRAY(SELECT id FROM deliveries
      WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND due_at IS NOT NULL
        AND (v_goal = 'cancel' OR NOT is_test) AND id <> ALL (v_discarded)
      ORDER BY due_at, id LIMIT p_limit - cardinality(v_discarded) FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  IF v_goal IN ('release', 'cancel') AND cardinality(v_discarded) + cardinality(v_ids) < p_limit THEN
    v_ids := v_ids || ARRAY(SELECT id FROM deliveries
      WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND status = 'HELD'
        AND (v_discard_before IS NULL OR id >= v_discard_before)
      ORDER BY id LIMIT p_limit - cardinality(v_discarded) - cardinality(v_ids) FOR NO KEY UPDATE SKIP LOCKED);
  END IF;

  WITH moved AS (
    UPDATE deliveries SET version = version + 1,
      status = CASE WHEN id = ANY (v_discarded) OR v_goal = 'cancel' THEN 'CANCELLED' WHEN v_goal = 'hold' THEN 'HELD'
        ELSE CASE attempt_count WHEN 0 THEN 'PENDING' ELSE 'RETRYING' END END::"DeliveryStatus",
      due_at = CASE WHEN v_goal = 'release' AND id <> ALL (v_discarded) THEN p_now END,
      completed_at = CASE WHEN id = ANY (v_discarded) OR v_goal = 'cancel' THEN p_now END
    WHERE organization_id = p_organization_id AND id = ANY (v_discarded || v_ids)
    RETURNING *
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count FROM moved
  )
  SELECT count(*) INTO v_moved FROM moved;

  -- Also what somebody else holds at the moment is still to come.
  IF v_discard_before IS NOT NULL AND cardinality(v_discarded) < p_limit AND NOT EXISTS (
    SELECT FROM deliveries WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND id < v_discard_before
      AND status = 'HELD')
    AND NOT EXISTS (
    SELECT FROM deliveries WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND id < v_discard_before
      AND due_at IS NOT NULL AND NOT is_test)
  THEN
    UPDATE webhook_subscriptions SET discard_before = NULL
      WHERE organization_id = p_organization_id AND id = p_subscription_id AND discard_before = v_discard_before;
  END IF;
  RETURN v_moved;
END $$;

-- As before, but that a subscription was disabled is not held for itself.
CREATE OR REPLACE FUNCTION optio.emit_events(
  p_organization_id uuid,
  p_ids uuid[],
  p_types text[],
  p_occurred_at timestamptz[],
  p_bodies text[],
  p_keys text[],
  p_hashes bytea[],
  p_now timestamptz DEFAULT now()
) RETURNS TABLE (ordinal int, event_id uuid, deduplicated boolean, delivery_count int, lanes uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_tenant text := nullif(current_setting('app.organization_id', true), '');
  v_first uuid[] := p_ids;
  v_conflict text;
  v_lanes uuid[];
BEGIN
  -- A tenant's login that is bound to no organization may emit for none; its owner and others that were let in may.
  IF v_tenant IS NULL AND session_user <> current_user AND EXISTS (
    SELECT FROM pg_auth_members m WHERE m.roleid = 'optio_tenant'::regrole AND m.member = (SELECT oid FROM pg_roles WHERE rolname = session_user))
    OR v_tenant::uuid <> p_organization_id THEN
    RAISE EXCEPTION 'An event of another organization cannot be emitted.' USING ERRCODE = '42501';
  END IF;

  IF EXISTS (SELECT FROM unnest(p_keys) AS k WHERE k IS NOT NULL) THEN
    -- In the order of the keys, so that two batches cannot wait for each other. A parallel emit with the same
    -- key waits here until the other one ends.
    INSERT INTO event_idempotency_keys AS k (organization_id, key, event_id, request_hash, expires_at)
    SELECT DISTINCT ON (i.key) p_organization_id, i.key, i.id, i.hash, p_now + interval '24 hours'
    FROM unnest(p_ids, p_keys, p_hashes) WITH ORDINALITY AS i (id, key, hash, ord)
    WHERE i.key IS NOT NULL
    ORDER BY i.key, i.ord
    ON CONFLICT (organization_id, key) DO UPDATE
      SET event_id = excluded.event_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
      WHERE k.expires_at <= p_now;

    SELECT array_agg(coalesce(k.event_id, i.id) ORDER BY i.ord),
           min(i.key) FILTER (WHERE k.request_hash <> i.hash)
    INTO v_first, v_conflict
    FROM unnest(p_ids, p_keys, p_hashes) WITH ORDINALITY AS i (id, key, hash, ord)
    LEFT JOIN event_idempotency_keys k ON k.organization_id = p_organization_id AND k.key = i.key;

    IF v_conflict IS NOT NULL THEN
      RAISE EXCEPTION 'The idempotency key % was used with another event.', quote_literal(v_conflict)
        USING ERRCODE = 'OC409', DETAIL = v_conflict;
    END IF;
  END IF;

  INSERT INTO events (organization_id, id, type, occurred_at, body, idempotency_key)
  SELECT p_organization_id, i.id, i.type, i.occurred_at, i.body, i.key
  FROM unnest(p_ids, v_first, p_types, p_occurred_at, p_bodies, p_keys) AS i (id, first, type, occurred_at, body, key)
  WHERE i.id = i.first;

  RETURN QUERY
  WITH inserted AS (
    INSERT INTO deliveries AS d (organization_id, id, subscription_id, event_id, event_type, status, due_at)
    SELECT p_organization_id, optio.uuid_v7(), s.id, i.id, i.type,
           CASE s.status WHEN 'ACTIVE' THEN 'PENDING' ELSE 'HELD' END::"DeliveryStatus",
           CASE s.status WHEN 'ACTIVE' THEN p_now END
    FROM unnest(p_ids, v_first, p_types, p_bodies) WITH ORDINALITY AS i (id, first, type, body, ord)
    JOIN webhook_subscriptions s
      ON s.organization_id = p_organization_id AND s.deleted_at IS NULL AND s.event_types && ARRAY[i.type, '*']
    WHERE i.id = i.first
      -- That a subscription was disabled is for the others to hear.
      AND CASE i.type WHEN 'webhook.subscription.disabled' THEN i.body::jsonb #>> '{data,subscription_id}' <> s.id::text ELSE true END
    ORDER BY i.ord
    RETURNING d.id, d.subscription_id, d.event_id, d.event_type, d.status
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT p_organization_id, n.id, 1, n.subscription_id, n.event_type, n.status, 0 FROM inserted n
  ), counted AS (
    SELECT n.event_id AS id, count(*)::int AS value FROM inserted n GROUP BY n.event_id
  ), woken AS (
    SELECT array_agg(DISTINCT n.subscription_id) AS ids FROM inserted n WHERE n.status = 'PENDING'
  )
  SELECT i.ord::int, i.first, i.id <> i.first, 
         CASE WHEN i.id = i.first THEN coalesce(c.value, 0)
              ELSE (SELECT count(*)::int FROM deliveries d WHERE d.organization_id = p_organization_id AND d.event_id = i.first AND d.replay_of_id IS NULL) END,
         CASE WHEN i.ord = 1 THEN coalesce(w.ids, '{}') END
  FROM unnest(p_ids, v_first) WITH ORDINALITY AS i (id, first, ord)
  LEFT JOIN counted c ON c.id = i.id
  CROSS JOIN woken w
  ORDER BY i.ord;
END $$;
