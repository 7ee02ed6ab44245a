-- The second factor of a person: a secret shared with an authenticator app (TOTP, RFC 6238), and recovery codes for when
-- the app is gone. A step of TOTP is used once: last_used_step only grows.

CREATE TABLE "second_factors" (
  "user_id" UUID NOT NULL,
  "sealed_secret" BYTEA NOT NULL,
  "last_used_step" BIGINT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "second_factors_pkey" PRIMARY KEY ("user_id"),
  CONSTRAINT "second_factors_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "recovery_codes" (
  "user_id" UUID NOT NULL,
  "hash" BYTEA NOT NULL,
  "used_at" TIMESTAMPTZ(3),
  CONSTRAINT "recovery_codes_pkey" PRIMARY KEY ("user_id", "hash"),
  CONSTRAINT "recovery_codes_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "second_factors" ("user_id") ON DELETE CASCADE ON UPDATE CASCADE
);

ALTER TABLE "second_factors" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "recovery_codes" ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON "second_factors", "recovery_codes" TO optio_auth;
CREATE POLICY authorization_server ON "second_factors" TO optio_auth USING (true);
CREATE POLICY authorization_server ON "recovery_codes" TO optio_auth USING (true);
