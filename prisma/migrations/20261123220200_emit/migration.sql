-- Emit: the one place where events become deliveries, for TypeScript and SQL alike. It runs with its owner's
-- rights, so that a student's transaction can emit although a student may not look at webhooks.

-- Writes one line of the update log for each delivery given by its keys, as the delivery stands now.
CREATE FUNCTION optio.log_deliveries(p_organization_id uuid, p_ids uuid[]) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number, response_code, error)
  SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count, last_response_code, last_error
  FROM deliveries WHERE organization_id = p_organization_id AND id = ANY (p_ids)
$$;

-- Holds what a subscription still waits to send (tests excepted). Answers how many.
CREATE FUNCTION optio.hold_deliveries(p_organization_id uuid, p_subscription_id uuid) RETURNS bigint
LANGUAGE sql AS $$
  WITH moved AS (
    UPDATE deliveries SET status = 'HELD', due_at = NULL, version = version + 1
    WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND due_at IS NOT NULL AND NOT is_test
    RETURNING *
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count FROM moved
  )
  SELECT count(*) FROM moved
$$;

-- Makes what was held due now. Answers how many.
CREATE FUNCTION optio.release_deliveries(p_organization_id uuid, p_subscription_id uuid, p_now timestamptz) RETURNS bigint
LANGUAGE sql AS $$
  WITH moved AS (
    UPDATE deliveries SET due_at = p_now, version = version + 1,
      status = CASE attempt_count WHEN 0 THEN 'PENDING' ELSE 'RETRYING' END::"DeliveryStatus"
    WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND status = 'HELD'
    RETURNING *
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count FROM moved
  )
  SELECT count(*) FROM moved
$$;

-- Cancels what a subscription waits to send or holds. Answers how many.
CREATE FUNCTION optio.cancel_deliveries(p_organization_id uuid, p_subscription_id uuid, p_now timestamptz) RETURNS bigint
LANGUAGE sql AS $$
  WITH moved AS (
    UPDATE deliveries SET status = 'CANCELLED', due_at = NULL, completed_at = p_now, version = version + 1
    WHERE organization_id = p_organization_id AND subscription_id = p_subscription_id AND (due_at IS NOT NULL OR status = 'HELD')
    RETURNING *
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count FROM moved
  )
  SELECT count(*) FROM moved
$$;

-- Stores events and their deliveries in the caller's transaction. The arrays run in parallel, one entry an event;
-- p_keys and p_hashes hold NULL where the caller gave no idempotency key. A key that is used again with the same
-- hash answers the first event and stores nothing; with another hash the call fails with SQLSTATE OC409.
-- lanes: the subscriptions that have something to send at once; on the first row only.
CREATE FUNCTION optio.emit_events(
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
    FROM unnest(p_ids, v_first, p_types) WITH ORDINALITY AS i (id, first, type, ord)
    JOIN webhook_subscriptions s
      ON s.organization_id = p_organization_id AND s.deleted_at IS NULL AND s.event_types && ARRAY[i.type, '*']
    WHERE i.id = i.first
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
REVOKE ALL ON FUNCTION optio.emit_events(uuid, uuid[], text[], timestamptz[], text[], text[], bytea[], timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION optio.log_deliveries(uuid, uuid[]), optio.hold_deliveries(uuid, uuid),
  optio.release_deliveries(uuid, uuid, timestamptz), optio.cancel_deliveries(uuid, uuid, timestamptz) FROM PUBLIC;
