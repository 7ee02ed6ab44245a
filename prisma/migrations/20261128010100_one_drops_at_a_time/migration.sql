-- Two processes that came to the same expired partition at once: the second waited for the first, and then dropped what was
-- not there any more; and who deletes from a default partition has its lock before the parent's, as optio.ensure_partitions
-- has, while DROP takes them the other way round. So all three have one lock of their own, (7431, 1), which makes partitions
-- wait, and lets the other two leave it to whoever is at it.

-- Drops the oldest partition of a table that ended at or before p_before, and answers its name; NULL when there is none,
-- or while somebody else is at the partitions: who is first goes on with the rest.
-- One that an unfinished delivery needs is passed over. Whoever reads or writes the table waits meanwhile, so that the
-- lock is waited for no longer than two seconds: a failure (55P03) is tried again at the next run.
CREATE OR REPLACE FUNCTION optio.drop_expired_partition(p_table text, p_before timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
  t partitioning;
  part record;
  from_time timestamptz;
  to_time timestamptz;
BEGIN
  -- Before the partitions are looked for: what is found is there until this transaction has ended.
  IF NOT pg_try_advisory_xact_lock(7431, 1) THEN
    RETURN NULL;
  END IF;
  SELECT * INTO STRICT t FROM partitioning WHERE table_name = p_table;
  FOR part IN
    SELECT c.relname::text AS name, substring(c.relname FROM '_([0-9]{6,8})$') AS start
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = p_table::regclass AND c.relname ~ '_[0-9]{6,8}$' ORDER BY 2
  LOOP
    from_time := to_timestamp(part.start, CASE t.unit WHEN 'day' THEN 'YYYYMMDD' ELSE 'YYYYMM' END);
    to_time := from_time + ('1 ' || t.unit)::interval;
    EXIT WHEN to_time > p_before;
    -- The parent first, as every statement does.
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', p_table);
    CONTINUE WHEN p_table IN ('events', 'deliveries', 'delivery_attempts')
      AND optio.is_needed(optio.uuid_at(from_time), optio.uuid_at(to_time));
    IF p_table = 'delivery_updates' THEN
      -- Who comes with an older cursor is told so.
      EXECUTE format('UPDATE installation SET log_starts_at = greatest(log_starts_at::text::numeric,
        (SELECT coalesce(max(transaction_id)::text::numeric + 1, 0) FROM %I))::text::xid8', part.name);
    END IF;
    EXECUTE format('DROP TABLE %I', part.name);
    RETURN part.name;
  END LOOP;
  RETURN NULL;
END $$;

-- Deletes up to p_limit rows that lie in the default partition of a table and are older than p_before: a clock that
-- jumped put them there. Answers how many; 0 also while somebody else is at the partitions.
CREATE OR REPLACE FUNCTION optio.delete_expired_strays(p_table text, p_before timestamptz, p_limit int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  t partitioning;
  v_key name := optio.partition_key(p_table);
  v_needed text := 'false';
  v_deleted int;
BEGIN
  IF NOT pg_try_advisory_xact_lock(7431, 1) THEN
    RETURN 0;
  END IF;
  SELECT * INTO STRICT t FROM partitioning WHERE table_name = p_table;
  IF p_table IN ('events', 'deliveries', 'delivery_attempts') THEN
    v_needed := format('EXISTS (SELECT FROM deliveries d WHERE d.organization_id = s.organization_id
      AND (d.due_at IS NOT NULL OR d.status = ''HELD'') AND d.%I = s.%I)',
      CASE p_table WHEN 'events' THEN 'event_id' ELSE 'id' END, v_key);
  END IF;
  EXECUTE format('DELETE FROM %1$I WHERE ctid IN (SELECT ctid FROM %1$I s WHERE %2$I < %3$L AND NOT %4$s LIMIT %5$s)',
    p_table || '_default', v_key,
    CASE WHEN t.by_uuid THEN optio.uuid_at(p_before)::text ELSE p_before::text END, v_needed, p_limit);
  GET DIAGNOSTICS v_deleted = ROW_COUNT;
  RETURN v_deleted;
END $$;

-- Replays that have ended go after the time of their deliveries (src/webhooks/replay-clean-up.ts).
CREATE INDEX "replays_ended_at" ON "replays" ("ended_at") WHERE "ended_at" IS NOT NULL;
GRANT DELETE ON "replays" TO optio_worker;
