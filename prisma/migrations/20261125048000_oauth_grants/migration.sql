-- What people allow clients (consents), each single authorization (grants), and what was issued for it: authorization
-- codes, refresh tokens, and from now on the access tokens of people.
--
-- A grant is the root of one family. Whatever was issued for it is asked for together with it, so that revoking the
-- grant ends the whole family by one update of one row. Consents and grants hang on the membership of their user: who
-- leaves the organization takes them along, whichever statement removed the membership.

ALTER TABLE "oauth_clients"
  ADD COLUMN "requires_pkce" BOOLEAN NOT NULL DEFAULT true,
  ADD COLUMN "homepage_url" TEXT,
  ADD COLUMN "policy_url" TEXT,
  -- Why it was rejected or suspended, for people.
  ADD COLUMN "status_reason" TEXT,
  ADD CONSTRAINT "oauth_clients_public_with_pkce" CHECK ("requires_pkce" OR "type" = 'CONFIDENTIAL');

CREATE TABLE "oauth_consents" (
  "organization_id" UUID NOT NULL,
  "user_id" UUID NOT NULL,
  "client_ref" UUID NOT NULL,
  "scopes" TEXT[],
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "oauth_consents_pkey" PRIMARY KEY ("organization_id", "user_id", "client_ref"),
  CONSTRAINT "oauth_consents_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "memberships" ("organization_id", "user_id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "oauth_consents_organization_id_client_ref_fkey" FOREIGN KEY ("organization_id", "client_ref") REFERENCES "oauth_clients" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "oauth_consents_user_id_idx" ON "oauth_consents" ("user_id");
CREATE INDEX "oauth_consents_organization_id_client_ref_idx" ON "oauth_consents" ("organization_id", "client_ref");

CREATE TABLE "oauth_grants" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "user_id" UUID NOT NULL,
  "client_ref" UUID NOT NULL,
  "scopes" TEXT[],
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  -- Nothing of the family outlives it.
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "revoked_at" TIMESTAMPTZ(3),
  CONSTRAINT "oauth_grants_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "oauth_grants_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "memberships" ("organization_id", "user_id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "oauth_grants_organization_id_client_ref_fkey" FOREIGN KEY ("organization_id", "client_ref") REFERENCES "oauth_clients" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "oauth_grants_user_id_organization_id_client_ref_idx" ON "oauth_grants" ("user_id", "organization_id", "client_ref");
CREATE INDEX "oauth_grants_organization_id_client_ref_id_idx" ON "oauth_grants" ("organization_id", "client_ref", "id");
CREATE INDEX "oauth_grants_expires_at_idx" ON "oauth_grants" ("expires_at");

-- The unique keys of hashes begin with the hash, which alone finds the row; the organization makes them keys that a
-- table distributed by organization can hold.
CREATE TABLE "oauth_authorization_codes" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "code_hash" BYTEA NOT NULL,
  "grant_id" UUID NOT NULL,
  -- As it was sent; null: it was left out, so the token request need not repeat it.
  "redirect_uri" TEXT,
  -- Of the method S256; null: the client is exempt and sent none.
  "code_challenge" TEXT,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "consumed_at" TIMESTAMPTZ(3),
  CONSTRAINT "oauth_authorization_codes_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "oauth_authorization_codes_organization_id_grant_id_fkey" FOREIGN KEY ("organization_id", "grant_id") REFERENCES "oauth_grants" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "oauth_authorization_codes_code_hash_organization_id_key" ON "oauth_authorization_codes" ("code_hash", "organization_id");
CREATE INDEX "oauth_authorization_codes_organization_id_grant_id_idx" ON "oauth_authorization_codes" ("organization_id", "grant_id");

CREATE TABLE "oauth_refresh_tokens" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "token_hash" BYTEA NOT NULL,
  "grant_id" UUID NOT NULL,
  -- The one it was issued in exchange for; null: the first of its family.
  "parent_id" UUID,
  -- Without use until then, or at the end of its grant.
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "consumed_at" TIMESTAMPTZ(3),
  -- A second exchange within the grace period: there is one at most.
  "consumed_again_at" TIMESTAMPTZ(3),
  CONSTRAINT "oauth_refresh_tokens_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "oauth_refresh_tokens_consumed_before_again" CHECK ("consumed_again_at" IS NULL OR "consumed_at" IS NOT NULL),
  CONSTRAINT "oauth_refresh_tokens_organization_id_grant_id_fkey" FOREIGN KEY ("organization_id", "grant_id") REFERENCES "oauth_grants" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "oauth_refresh_tokens_token_hash_organization_id_key" ON "oauth_refresh_tokens" ("token_hash", "organization_id");
CREATE INDEX "oauth_refresh_tokens_organization_id_grant_id_id_idx" ON "oauth_refresh_tokens" ("organization_id", "grant_id", "id");
CREATE INDEX "oauth_refresh_tokens_expires_at_idx" ON "oauth_refresh_tokens" ("expires_at");

-- Null: the client acts for its organization.
ALTER TABLE "oauth_access_tokens" ADD COLUMN "grant_id" UUID;

ALTER TABLE "oauth_consents" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "oauth_grants" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "oauth_authorization_codes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "oauth_refresh_tokens" ENABLE ROW LEVEL SECURITY;

GRANT SELECT ON "oauth_consents", "oauth_grants" TO optio_tenant;
CREATE POLICY tenant_admin ON "oauth_consents" TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.is_admin());
CREATE POLICY tenant_admin ON "oauth_grants" TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.is_admin());

GRANT SELECT, INSERT, UPDATE, DELETE ON "oauth_consents", "oauth_grants", "oauth_authorization_codes", "oauth_refresh_tokens" TO optio_auth;
CREATE POLICY authorization_server ON "oauth_consents" TO optio_auth USING (true);
CREATE POLICY authorization_server ON "oauth_grants" TO optio_auth USING (true);
CREATE POLICY authorization_server ON "oauth_authorization_codes" TO optio_auth USING (true);
CREATE POLICY authorization_server ON "oauth_refresh_tokens" TO optio_auth USING (true);
