-- What grows: events, deliveries, attempts, the update log, access tokens. Each is partitioned by the time in
-- its id (or by its time), so that old rows leave by dropping a partition. A default partition catches what a
-- jumping clock makes. Unique constraints contain the partition key; there are no foreign keys between tables
-- whose partitions are dropped at different times.

CREATE SCHEMA IF NOT EXISTS "optio";

-- UUIDv7 (RFC 9562 5.7). PostgreSQL 18 has its own; older servers get the same from SQL.
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 180000 THEN
    CREATE FUNCTION optio.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE
      AS 'SELECT pg_catalog.uuidv7()';
  ELSE
    CREATE FUNCTION optio.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $f$
      SELECT encode(
        set_bit(set_bit(
          overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6),
          52, 1), 53, 1),
        'hex')::uuid
    $f$;
  END IF;
END $$;

-- The lowest UUIDv7 of an instant: the bound between two partitions.
CREATE FUNCTION optio.uuid_at(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (left(hex, 8) || '-' || right(hex, 4) || '-0000-0000-000000000000')::uuid
  FROM (SELECT lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS hex) AS t
$$;

CREATE TABLE "events" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "type" TEXT NOT NULL,
  "occurred_at" TIMESTAMPTZ(3) NOT NULL,
  "body" TEXT,
  "idempotency_key" TEXT,
  CONSTRAINT "events_pkey" PRIMARY KEY ("organization_id", "id")
) PARTITION BY RANGE ("id");

CREATE TABLE "deliveries" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "subscription_id" UUID NOT NULL,
  "event_id" UUID NOT NULL,
  "event_type" TEXT NOT NULL,
  "status" "DeliveryStatus" NOT NULL,
  "due_at" TIMESTAMPTZ(3),
  "attempt_count" INTEGER NOT NULL DEFAULT 0,
  "schedule_start" INTEGER NOT NULL DEFAULT 0,
  "version" INTEGER NOT NULL DEFAULT 1,
  "last_response_code" INTEGER,
  "last_error" TEXT,
  "completed_at" TIMESTAMPTZ(3),
  "replay_of_id" UUID,
  "is_test" BOOLEAN NOT NULL DEFAULT false,
  CONSTRAINT "deliveries_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "deliveries_due_while_waiting" CHECK (("due_at" IS NOT NULL) = ("status" IN ('PENDING', 'RETRYING'))),
  CONSTRAINT "deliveries_completed_when_ended" CHECK (("completed_at" IS NOT NULL) = ("status" IN ('SUCCEEDED', 'FAILED', 'CANCELLED')))
) PARTITION BY RANGE ("id");
CREATE INDEX "deliveries_organization_id_subscription_id_id_idx" ON "deliveries" ("organization_id", "subscription_id", "id");
CREATE INDEX "deliveries_organization_id_event_id_idx" ON "deliveries" ("organization_id", "event_id");
-- The queue: what a lane still has to send, in order of its due time.
CREATE INDEX "deliveries_waiting" ON "deliveries" ("subscription_id", "due_at", "id") WHERE "due_at" IS NOT NULL;
CREATE INDEX "deliveries_held" ON "deliveries" ("organization_id", "subscription_id", "id") WHERE "status" = 'HELD';

CREATE TABLE "delivery_attempts" (
  "organization_id" UUID NOT NULL,
  "delivery_id" UUID NOT NULL,
  "number" INTEGER NOT NULL,
  "started_at" TIMESTAMPTZ(3) NOT NULL,
  "dns_ms" REAL,
  "connect_ms" REAL,
  "tls_ms" REAL,
  "first_byte_ms" REAL,
  "total_ms" REAL NOT NULL,
  "request_headers" JSONB NOT NULL,
  "response_code" INTEGER,
  "response_headers" JSONB,
  "response_body" TEXT,
  "error_kind" TEXT,
  "error" TEXT,
  CONSTRAINT "delivery_attempts_pkey" PRIMARY KEY ("organization_id", "delivery_id", "number")
) PARTITION BY RANGE ("delivery_id");

-- Every status change, in the order of commits: read only what is older than every running transaction.
CREATE TABLE "delivery_updates" (
  "organization_id" UUID NOT NULL,
  "transaction_id" XID8 NOT NULL DEFAULT pg_current_xact_id(),
  "sequence" BIGINT GENERATED ALWAYS AS IDENTITY,
  "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "delivery_id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "subscription_id" UUID NOT NULL,
  "event_type" TEXT NOT NULL,
  "status" "DeliveryStatus" NOT NULL,
  "attempt_number" INTEGER NOT NULL,
  "response_code" INTEGER,
  "duration_ms" REAL,
  "error" TEXT,
  CONSTRAINT "delivery_updates_pkey" PRIMARY KEY ("organization_id", "transaction_id", "sequence", "at")
) PARTITION BY RANGE ("at");
CREATE INDEX "delivery_updates_in_commit_order" ON "delivery_updates" ("transaction_id", "sequence");

CREATE TABLE "oauth_access_tokens" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "client_ref" UUID NOT NULL,
  "user_id" UUID,
  "scopes" TEXT[],
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "revoked_at" TIMESTAMPTZ(3),
  CONSTRAINT "oauth_access_tokens_pkey" PRIMARY KEY ("organization_id", "id")
) PARTITION BY RANGE ("id");
CREATE INDEX "oauth_access_tokens_organization_id_client_ref_id_idx" ON "oauth_access_tokens" ("organization_id", "client_ref", "id");

-- Identifies this database's stream of updates: another fingerprint means it was restored elsewhere.
CREATE TABLE "installation" (
  "id" INTEGER NOT NULL DEFAULT 1,
  "stream_epoch" UUID NOT NULL DEFAULT gen_random_uuid(),
  "fingerprint" TEXT NOT NULL DEFAULT '',
  -- Lines of the update log of older transactions are no longer kept.
  "log_starts_at" XID8 NOT NULL DEFAULT '0',
  CONSTRAINT "installation_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "installation_is_one_row" CHECK ("id" = 1)
);
INSERT INTO "installation" DEFAULT VALUES;

-- The epoch of the stream. A database that was restored or moved (another cluster, another timeline) gets a new one,
-- so that a cursor of the old one is not taken for its own.
CREATE FUNCTION optio.stream_epoch() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_epoch uuid;
  v_fingerprint text := (SELECT format('%s/%s/%s', s.system_identifier, c.timeline_id,
    (SELECT oid FROM pg_database WHERE datname = current_database()))
    FROM pg_control_system() s, pg_control_checkpoint() c);
BEGIN
  UPDATE installation SET fingerprint = v_fingerprint,
    stream_epoch = CASE fingerprint WHEN '' THEN stream_epoch ELSE gen_random_uuid() END
    WHERE fingerprint <> v_fingerprint;
  SELECT stream_epoch INTO v_epoch FROM installation;
  RETURN v_epoch;
END $$;
REVOKE ALL ON FUNCTION optio.stream_epoch() FROM PUBLIC;

-- How each table is cut: its unit of time, and whether its key is a UUIDv7 or a time.
CREATE TABLE "partitioning" (
  "table_name" TEXT NOT NULL,
  "unit" TEXT NOT NULL,
  "by_uuid" BOOLEAN NOT NULL,
  "ahead" INTEGER NOT NULL,
  CONSTRAINT "partitioning_pkey" PRIMARY KEY ("table_name")
);
INSERT INTO "partitioning" VALUES
  ('events', 'month', true, 2),
  ('deliveries', 'month', true, 2),
  ('delivery_attempts', 'month', true, 2),
  ('delivery_updates', 'day', false, 7),
  ('oauth_access_tokens', 'day', true, 7);

-- Makes the partitions of now and of the units ahead; those that exist stay. Answers the names of the new ones.
-- Rows that already lie in the default partition for a time that gets its own are moved there first.
CREATE FUNCTION optio.ensure_partitions(p_now timestamptz DEFAULT now()) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  t partitioning;
  from_time timestamptz;
  to_time timestamptz;
  from_key text;
  to_key text;
  key_column text;
  part text;
BEGIN
  PERFORM pg_advisory_xact_lock(7431, 1);
  FOR t IN SELECT * FROM partitioning ORDER BY table_name LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I DEFAULT', t.table_name || '_default', t.table_name);
    SELECT a.attname INTO key_column FROM pg_partitioned_table p
      JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
      WHERE p.partrelid = t.table_name::regclass;
    FOR i IN 0 .. t.ahead LOOP
      from_time := date_trunc(t.unit, p_now) + i * ('1 ' || t.unit)::interval;
      to_time := from_time + ('1 ' || t.unit)::interval;
      part := t.table_name || '_' || to_char(from_time, CASE t.unit WHEN 'day' THEN 'YYYYMMDD' ELSE 'YYYYMM' END);
      CONTINUE WHEN to_regclass(quote_ident(part)) IS NOT NULL;
      from_key := CASE WHEN t.by_uuid THEN optio.uuid_at(from_time)::text ELSE from_time::text END;
      to_key := CASE WHEN t.by_uuid THEN optio.uuid_at(to_time)::text ELSE to_time::text END;
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, t.table_name);
      EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        t.table_name || '_default', key_column, from_key, key_column, to_key, part);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', t.table_name, part, from_key, to_key);
      RETURN NEXT part;
    END LOOP;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION optio.ensure_partitions(timestamptz) FROM PUBLIC;

SELECT optio.ensure_partitions();
