-- Ordered deliveries (webhooks rule 20, docs/adr/0040): a subscription may name what its deliveries are ordered by. Those with
-- the same key are sent one after the other, in the order of their positions.

ALTER TABLE "webhook_subscriptions" ADD COLUMN "ordered_by" TEXT;
-- Both are null where the subscription was not ordered when the event was emitted.
ALTER TABLE "deliveries" ADD COLUMN "ordering_key" BIGINT;
ALTER TABLE "deliveries" ADD COLUMN "ordering_position" BIGINT;
-- Counts on from emit to emit, whatever the clocks of the servers say.
CREATE SEQUENCE optio.delivery_order;
-- The first one of each key that has not ended is the one whose turn it is.
CREATE INDEX "deliveries_in_order" ON "deliveries" ("subscription_id", "ordering_key", "ordering_position")
  WHERE "ordering_key" IS NOT NULL AND "completed_at" IS NULL;

-- The key of an event for a subscription that is ordered by this path in the envelope; two keys may share a number, which
-- only makes them wait for each other. An event without a value there has a key of its own: nothing waits for it.
CREATE FUNCTION optio.ordering_key(p_ordered_by text, p_body text, p_event_id uuid) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_path text[] := string_to_array(p_ordered_by, '.');
  v_value text;
BEGIN
  BEGIN
    v_value := p_body::jsonb #>> v_path;
  EXCEPTION WHEN data_exception THEN
    -- JSON knows NUL and halves of surrogate pairs, PostgreSQL's text does not; wherever in the event they are.
    v_value := regexp_replace(p_body, '\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\ufffd', 'g')::jsonb #>> v_path;
  END;
  RETURN hashtextextended(coalesce(v_value, p_event_id::text), 0);
END $$;
REVOKE ALL ON FUNCTION optio.ordering_key(text, text, uuid) FROM PUBLIC;
-- For deliveries that are made beside emit.
GRANT EXECUTE ON FUNCTION optio.ordering_key(text, text, uuid) TO optio_tenant, optio_worker;
GRANT USAGE ON SEQUENCE optio.delivery_order TO optio_tenant, optio_worker;

-- As before, but with key and position where the subscription is ordered. The positions of a batch follow the order of its
-- events: nextval is evaluated after the sort.
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
    INSERT INTO deliveries AS d (organization_id, id, subscription_id, event_id, event_type, status, due_at, ordering_key, ordering_position)
    SELECT p_organization_id, optio.uuid_v7(), s.id, i.id, i.type,
           CASE s.status WHEN 'ACTIVE' THEN 'PENDING' ELSE 'HELD' END::"DeliveryStatus",
           CASE s.status WHEN 'ACTIVE' THEN p_now END,
           CASE WHEN s.ordered_by IS NOT NULL THEN optio.ordering_key(s.ordered_by, i.body, i.id) END,
           CASE WHEN s.ordered_by IS NOT NULL THEN nextval('optio.delivery_order') END
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
