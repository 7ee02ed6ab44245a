-- Who may touch what. Three group roles, which belong to the whole cluster and are therefore made only where
-- they are missing; the server's logins are members of them.
--   optio_tenant  a request of one organization: row-level security by app.organization_id and app.role
--   optio_worker  sends deliveries of every organization
--   optio_auth    the authorization server: accounts, clients, tokens, signing keys

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['optio_tenant', 'optio_worker', 'optio_auth'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA public, optio TO optio_tenant, optio_worker, optio_auth;

-- Inlined by the planner; a sub-select function would cost a fifth more.
CREATE FUNCTION optio.current_organization() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.organization_id', true), '')::uuid $$;
CREATE FUNCTION optio.is_admin() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT current_setting('app.role', true) IN ('ADMIN', 'CLIENT') $$;

ALTER TABLE "organizations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "users" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "user_passwords" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "memberships" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "oauth_clients" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "oauth_client_secrets" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "oauth_access_tokens" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "signing_keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "events" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "event_idempotency_keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "webhook_subscriptions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "webhook_secrets" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "webhook_subscription_health" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "deliveries" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "delivery_attempts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "delivery_updates" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "installation" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "partitioning" ENABLE ROW LEVEL SECURITY;

-- The tenant: its own organization, and by role where only admins may look.
GRANT SELECT, UPDATE ON "organizations" TO optio_tenant;
CREATE POLICY tenant ON "organizations" FOR SELECT TO optio_tenant
  USING (id = nullif(current_setting('app.organization_id', true), '')::uuid);
CREATE POLICY tenant_change ON "organizations" FOR UPDATE TO optio_tenant
  USING (id = nullif(current_setting('app.organization_id', true), '')::uuid AND current_setting('app.role', true) = 'ADMIN');

GRANT SELECT ON "users" TO optio_tenant;
CREATE POLICY tenant ON "users" FOR SELECT TO optio_tenant
  USING (EXISTS (SELECT FROM memberships m WHERE m.user_id = users.id
    AND m.organization_id = nullif(current_setting('app.organization_id', true), '')::uuid));

-- Members are not added here: that would let an admin take in, and then see, a person of another organization.
GRANT SELECT, UPDATE, DELETE ON "memberships" TO optio_tenant;
CREATE POLICY tenant ON "memberships" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
CREATE POLICY tenant_change ON "memberships" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND current_setting('app.role', true) = 'ADMIN');
CREATE POLICY tenant_remove ON "memberships" FOR DELETE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND current_setting('app.role', true) = 'ADMIN');

GRANT SELECT, INSERT, UPDATE, DELETE ON "oauth_clients", "oauth_client_secrets", "webhook_subscriptions", "webhook_secrets" TO optio_tenant;
GRANT SELECT, INSERT, UPDATE ON "deliveries" TO optio_tenant;
GRANT SELECT, INSERT ON "events" TO optio_tenant;
GRANT SELECT ON "delivery_attempts", "webhook_subscription_health", "oauth_access_tokens" TO optio_tenant;
GRANT SELECT, INSERT ON "delivery_updates" TO optio_tenant;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['oauth_clients', 'oauth_client_secrets', 'oauth_access_tokens', 'webhook_subscriptions',
    'webhook_secrets', 'webhook_subscription_health', 'events', 'deliveries', 'delivery_attempts', 'delivery_updates'] LOOP
    EXECUTE format(
      'CREATE POLICY tenant_admin ON %I TO optio_tenant
         USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid AND optio.is_admin())', name);
  END LOOP;
END $$;

-- The worker: every organization's deliveries and what is needed to send them, nothing of accounts and clients.
GRANT SELECT ON "events", "webhook_secrets", "installation" TO optio_worker;
GRANT SELECT, UPDATE ON "webhook_subscriptions", "deliveries" TO optio_worker;
GRANT SELECT, INSERT ON "delivery_attempts", "delivery_updates" TO optio_worker;
GRANT SELECT, INSERT, UPDATE ON "webhook_subscription_health" TO optio_worker;
GRANT SELECT, DELETE ON "event_idempotency_keys" TO optio_worker;
CREATE POLICY worker ON "installation" FOR SELECT TO optio_worker USING (true);
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['events', 'webhook_subscriptions', 'webhook_secrets', 'webhook_subscription_health',
    'deliveries', 'delivery_attempts', 'delivery_updates', 'event_idempotency_keys'] LOOP
    EXECUTE format('CREATE POLICY worker ON %I TO optio_worker USING (true)', name);
  END LOOP;
END $$;

-- The authorization server.
GRANT SELECT ON "organizations" TO optio_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON "users", "user_passwords", "memberships", "oauth_clients", "oauth_client_secrets",
  "oauth_access_tokens", "signing_keys" TO optio_auth;
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['organizations', 'users', 'user_passwords', 'memberships', 'oauth_clients',
    'oauth_client_secrets', 'oauth_access_tokens', 'signing_keys'] LOOP
    EXECUTE format('CREATE POLICY authorization_server ON %I TO optio_auth USING (true)', name);
  END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION optio.emit_events(uuid, uuid[], text[], timestamptz[], text[], text[], bytea[], timestamptz) TO optio_tenant, optio_worker;
GRANT EXECUTE ON FUNCTION optio.log_deliveries(uuid, uuid[]), optio.hold_deliveries(uuid, uuid),
  optio.release_deliveries(uuid, uuid, timestamptz), optio.cancel_deliveries(uuid, uuid, timestamptz) TO optio_tenant, optio_worker;
GRANT EXECUTE ON FUNCTION optio.ensure_partitions(timestamptz), optio.stream_epoch() TO optio_worker;
