-- What mutations answered that were asked with an idempotency key: the same viewer asking the same again within 24 hours
-- is answered the same, and nothing is done twice. Who asks waits on the primary key for another one that is under way.
CREATE TABLE "mutation_idempotency_keys" (
  "organization_id" UUID NOT NULL,
  -- All zeroes: no person.
  "user_id" UUID NOT NULL,
  -- Empty: no client.
  "client_id" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  "operation" TEXT NOT NULL,
  "request_hash" BYTEA NOT NULL,
  -- Null only within the transaction that does what was asked for.
  "sealed_answer" BYTEA,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "mutation_idempotency_keys_pkey" PRIMARY KEY ("organization_id", "user_id", "client_id", "key")
);
CREATE INDEX "mutation_idempotency_keys_expires_at_idx" ON "mutation_idempotency_keys" ("expires_at");

ALTER TABLE "mutation_idempotency_keys" ENABLE ROW LEVEL SECURITY;

-- A person's own, whatever its role; a client's own.
GRANT SELECT, INSERT, UPDATE ON "mutation_idempotency_keys" TO optio_tenant;
CREATE POLICY tenant ON "mutation_idempotency_keys" TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    AND user_id = coalesce(nullif(current_setting('app.user_id', true), ''), '00000000-0000-0000-0000-000000000000')::uuid);

-- The worker removes what has expired.
GRANT SELECT, DELETE ON "mutation_idempotency_keys" TO optio_worker;
CREATE POLICY worker ON "mutation_idempotency_keys" TO optio_worker USING (true);
