-- What the hourly clean-up walks: codes that were never exchanged, and secrets that a rotation gave an end. Both are few.
CREATE INDEX "oauth_authorization_codes_unused_idx" ON "oauth_authorization_codes" ("expires_at")
  WHERE "consumed_at" IS NULL;
CREATE INDEX "oauth_client_secrets_ending_idx" ON "oauth_client_secrets" ("expires_at") WHERE "expires_at" IS NOT NULL;
