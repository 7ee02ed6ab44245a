-- optio.emit_event: one event out of SQL, in the caller's transaction (docs/guides/sql-emit.md, webhooks rule 6).

-- Who may emit for every organization, and do nothing else: the login of a platform's own database user is made a
-- member of it. Roles belong to the whole cluster, so it is made only where it is missing.
DO $$
BEGIN
  CREATE ROLE optio_emitter NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END $$;
GRANT USAGE ON SCHEMA optio TO optio_emitter;

-- The catalogue of event types with the JSON Schema of their data, as the program has it; written at each start.
CREATE TABLE optio.event_types (
  "name" TEXT NOT NULL,
  "version" INTEGER NOT NULL,
  "data_schema" JSONB NOT NULL,
  CONSTRAINT "event_types_pkey" PRIMARY KEY ("name")
);

-- What of a value does not fit a JSON Schema, each with its path. It knows the words that the catalogue uses: type,
-- properties, required, enum, minLength, maxLength, minimum, maximum, pattern; the others it passes over.
CREATE FUNCTION optio.find_faults(p_schema jsonb, p_value jsonb, p_path text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  v_type text := p_schema ->> 'type';
  v_is text := jsonb_typeof(p_value);
  v_text text := p_value #>> '{}';
  field record;
BEGIN
  IF v_type IS DISTINCT FROM v_is AND NOT (v_type = 'integer' AND v_is = 'number' AND v_text::numeric % 1 = 0) THEN
    RETURN NEXT format('%s: expected %s, not %s', p_path, v_type, v_is);
    RETURN;
  END IF;
  IF NOT coalesce(p_schema -> 'enum' @> p_value, true) THEN
    RETURN NEXT format('%s: expected one of %s', p_path, p_schema ->> 'enum');
  END IF;
  IF v_is = 'string' AND (char_length(v_text) < (p_schema ->> 'minLength')::int OR char_length(v_text) > (p_schema ->> 'maxLength')::int) THEN
    RETURN NEXT format('%s: expected %s to %s characters, not %s', p_path, coalesce(p_schema ->> 'minLength', '0'), p_schema ->> 'maxLength', char_length(v_text));
  END IF;
  IF v_is = 'string' AND v_text !~ (p_schema ->> 'pattern') THEN
    RETURN NEXT format('%s: expected %s', p_path, coalesce(p_schema ->> 'format', 'another form'));
  END IF;
  IF v_is = 'number' AND (v_text::numeric < (p_schema ->> 'minimum')::numeric OR v_text::numeric > (p_schema ->> 'maximum')::numeric) THEN
    RETURN NEXT format('%s: expected %s to %s', p_path, coalesce(p_schema ->> 'minimum', 'any'), coalesce(p_schema ->> 'maximum', 'any'));
  END IF;
  IF v_is = 'object' THEN
    RETURN QUERY SELECT format('%s.%s: is missing', p_path, r.name)
      FROM jsonb_array_elements_text(p_schema -> 'required') AS r (name) WHERE NOT p_value ? r.name;
    FOR field IN SELECT key, value FROM jsonb_each(p_schema -> 'properties') WHERE p_value ? key LOOP
      RETURN QUERY SELECT * FROM optio.find_faults(field.value, p_value -> field.key, p_path || '.' || field.key);
    END LOOP;
  END IF;
END $$;

-- Stores one event and its deliveries in the caller's transaction, and answers the event's id. The data are checked
-- against the catalogue. The same key within 24 hours answers the first event and stores nothing.
-- SQLSTATE OC404: no such organization; OC422: an unknown event type, or data that do not fit (each fault in DETAIL);
-- OC409: the key was used with another event.
CREATE FUNCTION optio.emit_event(
  p_organization_id uuid,
  p_type text,
  p_data jsonb,
  p_occurred_at timestamptz DEFAULT NULL,
  p_idempotency_key text DEFAULT NULL
) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  v_schema jsonb := (SELECT data_schema FROM optio.event_types WHERE name = p_type);
  v_now timestamptz := clock_timestamp();
  v_at timestamptz := coalesce(p_occurred_at, v_now);
  v_faults text;
  v_body text;
  v_hash bytea;
BEGIN
  IF p_data IS NULL OR v_schema IS NULL THEN
    RAISE EXCEPTION 'An event needs data, and a type of the catalogue: there is none called %.', coalesce(quote_literal(left(p_type, 200)), 'NULL')
      USING ERRCODE = 'OC422', HINT = 'SELECT name FROM optio.event_types';
  END IF;
  IF p_idempotency_key !~ '^[\x20-\x7e]{1,200}$' THEN
    RAISE EXCEPTION 'An idempotency key has 1 to 200 printable ASCII characters.' USING ERRCODE = 'OC422';
  END IF;
  IF NOT EXISTS (SELECT FROM organizations WHERE id = p_organization_id) THEN
    RAISE EXCEPTION 'There is no organization %.', coalesce(p_organization_id::text, 'NULL') USING ERRCODE = 'OC404';
  END IF;
  v_faults := (SELECT string_agg(fault, E'\n') FROM optio.find_faults(v_schema, p_data, 'data') AS fault);
  IF v_faults IS NOT NULL THEN
    RAISE EXCEPTION 'The data do not fit the event type %.', p_type USING ERRCODE = 'OC422', DETAIL = v_faults;
  END IF;

  v_body := format('{"event":%s,"timestamp":"%s","data":%s,"organization_id":"%s"}',
    to_json(p_type), to_char(v_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), p_data, p_organization_id);
  IF octet_length(v_body) > 262144 THEN
    RAISE EXCEPTION 'An event holds at most 256 KiB.' USING ERRCODE = 'OC422';
  END IF;
  IF p_idempotency_key IS NOT NULL THEN
    v_hash := sha256(convert_to(jsonb_build_array(p_type, p_data, p_occurred_at)::text, 'UTF8'));
  END IF;
  RETURN (SELECT event_id FROM optio.emit_events(p_organization_id, ARRAY[optio.uuid_v7()], ARRAY[p_type], ARRAY[v_at],
    ARRAY[v_body], ARRAY[p_idempotency_key], ARRAY[v_hash], v_now));
END $$;

REVOKE ALL ON FUNCTION optio.find_faults(jsonb, jsonb, text),
  optio.emit_event(uuid, text, jsonb, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION optio.emit_event(uuid, text, jsonb, timestamptz, text) TO optio_emitter;
GRANT SELECT ON optio.event_types TO optio_emitter;
