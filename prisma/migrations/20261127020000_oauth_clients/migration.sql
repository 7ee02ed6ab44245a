-- The life of a client (docs/adr/0030). What is in force (scopes, redirect_uris, grant_types, requires_pkce) is what a
-- platform admin approved; what its organization asks for beyond that stands beside it until it is decided about.

ALTER TABLE "oauth_clients"
  ADD COLUMN "preset" TEXT NOT NULL DEFAULT 'generic',
  -- True: suspended by a platform admin, who alone can lift it.
  ADD COLUMN "suspended_by_platform" BOOLEAN NOT NULL DEFAULT false,
  -- What the organization asks for, as a whole; null: nothing waits.
  ADD COLUMN "requested_at" TIMESTAMPTZ(3),
  ADD COLUMN "requested_scopes" TEXT[],
  ADD COLUMN "requested_redirect_uris" TEXT[],
  ADD COLUMN "requested_grant_types" TEXT[],
  ADD COLUMN "requested_requires_pkce" BOOLEAN;

-- Nothing of a client that waits is in force.
UPDATE "oauth_clients" SET
  "requested_at" = "created_at", "requested_scopes" = coalesce("scopes", '{}'),
  "requested_redirect_uris" = coalesce("redirect_uris", '{}'), "requested_grant_types" = coalesce("grant_types", '{}'),
  "requested_requires_pkce" = "requires_pkce", "scopes" = '{}', "redirect_uris" = '{}', "grant_types" = '{}',
  "requires_pkce" = true
WHERE "status" = 'PENDING';

ALTER TABLE "oauth_clients"
  ADD CONSTRAINT "oauth_clients_request_is_whole" CHECK (
    num_nulls("requested_at", "requested_scopes", "requested_redirect_uris", "requested_grant_types", "requested_requires_pkce") IN (0, 5)),
  ADD CONSTRAINT "oauth_clients_request_of_public_with_pkce" CHECK ("requested_requires_pkce" OR "type" = 'CONFIDENTIAL'),
  ADD CONSTRAINT "oauth_clients_suspended_by_platform" CHECK (NOT "suspended_by_platform" OR "status" = 'SUSPENDED');

-- Platform admins page through the clients of all organizations, and through those that wait.
CREATE INDEX "oauth_clients_id_idx" ON "oauth_clients" ("id");
CREATE INDEX "oauth_clients_waiting" ON "oauth_clients" ("id") WHERE "requested_at" IS NOT NULL AND "status" <> 'REJECTED';

-- Whether a token with the one scope may do what the other is for. test/oauth/client-guard.test.ts compares it with the
-- catalogue of the program (src/accounts/scope.ts).
CREATE FUNCTION optio.scope_contains(p_held text, p_wanted text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT p_held = p_wanted
    OR (p_held = 'read' AND p_wanted ~ '^read:(quests|tasks|badges|grades|users)$')
    OR (p_held = 'write' AND p_wanted ~ '^(read|write:(quests|tasks|badges|grades|users)|read:(quests|tasks|badges|grades|users))$')
    OR (p_held = 'write:webhooks' AND p_wanted = 'read:webhooks')
$$;

-- What an organization cannot do whatever statement it finds a way to make: bring a client into force, or widen what is.
CREATE FUNCTION optio.guard_oauth_client() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'PENDING' OR cardinality(coalesce(NEW.scopes, '{}')) + cardinality(coalesce(NEW.redirect_uris, '{}'))
        + cardinality(coalesce(NEW.grant_types, '{}')) > 0 OR NOT NEW.requires_pkce OR NEW.suspended_by_platform THEN
      RAISE EXCEPTION 'An organization registers a client; a platform admin brings it into force.' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
  END IF;
  IF NOT (NEW.redirect_uris <@ OLD.redirect_uris) OR NOT (NEW.grant_types <@ OLD.grant_types)
      OR (OLD.requires_pkce AND NOT NEW.requires_pkce)
      OR EXISTS (SELECT FROM unnest(NEW.scopes) AS wanted
                 WHERE NOT EXISTS (SELECT FROM unnest(OLD.scopes) AS held WHERE optio.scope_contains(held, wanted))) THEN
    RAISE EXCEPTION 'An organization cannot widen what is in force of its client.' USING ERRCODE = '42501';
  END IF;
  IF NEW.suspended_by_platform <> OLD.suspended_by_platform OR (NEW.status <> OLD.status AND NOT (
      (OLD.status = 'APPROVED' AND NEW.status = 'SUSPENDED')
      OR (OLD.status = 'SUSPENDED' AND NEW.status = 'APPROVED' AND NOT OLD.suspended_by_platform)
      OR (OLD.status = 'REJECTED' AND NEW.status = 'PENDING'))) THEN
    RAISE EXCEPTION 'An organization cannot change the status of its client from % to %.', OLD.status, NEW.status
      USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "guard_oauth_client" BEFORE INSERT OR UPDATE ON "oauth_clients" FOR EACH ROW
  WHEN (nullif(current_setting('app.role', true), '') IS NOT NULL)
  EXECUTE FUNCTION optio.guard_oauth_client();

-- Only a person who is ADMIN changes clients: a client that acts for the organization makes no other one. Hashes of
-- secrets are for the authorization server alone to read.
DROP POLICY tenant_admin ON "oauth_clients";
DROP POLICY tenant_admin ON "oauth_client_secrets";
REVOKE UPDATE ON "oauth_clients" FROM optio_tenant;
REVOKE SELECT, UPDATE ON "oauth_client_secrets" FROM optio_tenant;
GRANT UPDATE ("name", "homepage_url", "policy_url", "status", "status_reason", "scopes", "redirect_uris", "grant_types",
  "requires_pkce", "requested_at", "requested_scopes", "requested_redirect_uris", "requested_grant_types",
  "requested_requires_pkce", "version", "updated_at") ON "oauth_clients" TO optio_tenant;
GRANT SELECT ("organization_id", "id", "client_ref", "created_at", "expires_at"), UPDATE ("expires_at")
  ON "oauth_client_secrets" TO optio_tenant;
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['oauth_clients', 'oauth_client_secrets'] LOOP
    EXECUTE format(
      'CREATE POLICY tenant_read ON %1$I FOR SELECT TO optio_tenant
         USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid AND optio.is_admin());
       CREATE POLICY tenant_add ON %1$I FOR INSERT TO optio_tenant
         WITH CHECK (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid AND current_setting(''app.role'', true) = ''ADMIN'');
       CREATE POLICY tenant_change ON %1$I FOR UPDATE TO optio_tenant
         USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid AND current_setting(''app.role'', true) = ''ADMIN'');
       CREATE POLICY tenant_remove ON %1$I FOR DELETE TO optio_tenant
         USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid AND current_setting(''app.role'', true) = ''ADMIN'')', name);
  END LOOP;
END $$;
