-- The audit log: who did what that matters for security, from where, and what it changed. Entries are added and never
-- changed. organization_id is the nil UUID for what belongs to no organization; it refers to nothing, so that the log
-- of an organization outlives it. Not partitioned: partitions are dropped by a role that must not drop these
-- (docs/adr/0010).

CREATE TYPE "AuditActorKind" AS ENUM ('USER', 'CLIENT', 'ANONYMOUS', 'OPERATOR', 'SYSTEM');

CREATE TABLE "audit_entries" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "action" TEXT NOT NULL,
  "actor_kind" "AuditActorKind" NOT NULL,
  "actor_id" TEXT,
  "actor_label" TEXT,
  "client_id" TEXT,
  "target_type" TEXT,
  "target_id" TEXT,
  "target_label" TEXT,
  "changes" JSONB NOT NULL DEFAULT '{}',
  "occurrences" INTEGER NOT NULL DEFAULT 1,
  "address" TEXT,
  "user_agent" TEXT,
  "request_id" TEXT,
  CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "audit_entries_changes_is_object" CHECK (jsonb_typeof("changes") = 'object'),
  CONSTRAINT "audit_entries_occurrences_positive" CHECK ("occurrences" > 0)
);
CREATE INDEX "audit_entries_organization_id_action_id_idx" ON "audit_entries" ("organization_id", "action", "id");
CREATE INDEX "audit_entries_organization_id_actor_id_id_idx" ON "audit_entries" ("organization_id", "actor_id", "id");
CREATE INDEX "audit_entries_organization_id_target_id_id_idx" ON "audit_entries" ("organization_id", "target_id", "id");

-- Everyone adds, nobody changes or deletes. A tenant adds to the log of its own organization, whatever its role, and
-- only an ADMIN reads it: a person, not a client that acts for the organization (optio.is_admin() would let both).
ALTER TABLE "audit_entries" ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON "audit_entries" TO optio_tenant;
GRANT INSERT ON "audit_entries" TO optio_worker, optio_auth;
CREATE POLICY tenant_add ON "audit_entries" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
CREATE POLICY tenant_read ON "audit_entries" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND current_setting('app.role', true) = 'ADMIN');
CREATE POLICY worker ON "audit_entries" FOR INSERT TO optio_worker WITH CHECK (true);
CREATE POLICY authorization_server ON "audit_entries" FOR INSERT TO optio_auth WITH CHECK (true);

-- Retention, for the owner to call: deletes up to p_limit entries older than p_before, which lies 90 days back at least,
-- and answers how many. Fewer than p_limit: there were no more.
CREATE FUNCTION optio.expire_audit_entries(p_before timestamptz, p_limit int DEFAULT 10000) RETURNS int
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  v_deleted int;
BEGIN
  IF p_before > now() - interval '90 days' THEN
    RAISE EXCEPTION 'The audit log is kept for 90 days at least; % is too late.', p_before USING ERRCODE = '22023';
  END IF;
  DELETE FROM audit_entries WHERE (organization_id, id) IN (
    SELECT organization_id, id FROM audit_entries WHERE at < p_before LIMIT p_limit);
  GET DIAGNOSTICS v_deleted = ROW_COUNT;
  RETURN v_deleted;
END $$;
REVOKE ALL ON FUNCTION optio.expire_audit_entries(timestamptz, int) FROM PUBLIC;
