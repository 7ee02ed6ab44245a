-- Sessions: who is signed in, in which browser. They belong to a person, not to an organization: active_organization_id
-- says for which one the person acts, and what it is there is asked of memberships on every request.

CREATE TABLE "sessions" (
  "id" UUID NOT NULL,
  "user_id" UUID NOT NULL,
  "active_organization_id" UUID,
  "token_hash" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "last_used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "second_factor_at" TIMESTAMPTZ(3),
  "ended_at" TIMESTAMPTZ(3),
  "address" TEXT,
  "user_agent" TEXT,
  CONSTRAINT "sessions_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "sessions_active_organization_id_fkey" FOREIGN KEY ("active_organization_id") REFERENCES "organizations" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "sessions_token_hash_key" ON "sessions" ("token_hash");
CREATE INDEX "sessions_user_id_id_idx" ON "sessions" ("user_id", "id");
CREATE INDEX "sessions_expires_at_idx" ON "sessions" ("expires_at");

ALTER TABLE "sessions" ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON "sessions" TO optio_auth;
CREATE POLICY authorization_server ON "sessions" TO optio_auth USING (true);
