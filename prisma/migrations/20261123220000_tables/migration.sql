-- Accounts, OAuth clients, webhook subscriptions: what stays small enough for one table each.

CREATE TYPE "Role" AS ENUM ('ADMIN', 'EDUCATOR', 'STUDENT');
CREATE TYPE "OAuthClientType" AS ENUM ('CONFIDENTIAL', 'PUBLIC');
CREATE TYPE "OAuthClientStatus" AS ENUM ('PENDING', 'APPROVED', 'REJECTED', 'SUSPENDED');
CREATE TYPE "WebhookSubscriptionStatus" AS ENUM ('ACTIVE', 'PAUSED', 'DISABLED');
CREATE TYPE "DeliveryStatus" AS ENUM ('PENDING', 'RETRYING', 'HELD', 'SUCCEEDED', 'FAILED', 'CANCELLED');

CREATE TABLE "organizations" (
  "id" UUID NOT NULL,
  "slug" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "version" INTEGER NOT NULL DEFAULT 1,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "organizations_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "organizations_slug_key" ON "organizations" ("slug");

CREATE TABLE "users" (
  "id" UUID NOT NULL,
  "email" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "is_platform_admin" BOOLEAN NOT NULL DEFAULT false,
  "deactivated_at" TIMESTAMPTZ(3),
  "version" INTEGER NOT NULL DEFAULT 1,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "users_email_is_lower_case" CHECK ("email" = lower("email"))
);
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");

CREATE TABLE "user_passwords" (
  "user_id" UUID NOT NULL,
  "hash" TEXT NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "user_passwords_pkey" PRIMARY KEY ("user_id"),
  CONSTRAINT "user_passwords_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "memberships" (
  "organization_id" UUID NOT NULL,
  "user_id" UUID NOT NULL,
  "role" "Role" NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "memberships_pkey" PRIMARY KEY ("organization_id", "user_id"),
  CONSTRAINT "memberships_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "memberships_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "memberships_user_id_idx" ON "memberships" ("user_id");

CREATE TABLE "oauth_clients" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "client_id" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "type" "OAuthClientType" NOT NULL,
  "status" "OAuthClientStatus" NOT NULL DEFAULT 'PENDING',
  "grant_types" TEXT[],
  "scopes" TEXT[],
  "redirect_uris" TEXT[] DEFAULT ARRAY[]::TEXT[],
  "version" INTEGER NOT NULL DEFAULT 1,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT "oauth_clients_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "oauth_clients_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "oauth_clients_client_id_key" ON "oauth_clients" ("client_id");

CREATE TABLE "oauth_client_secrets" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "client_ref" UUID NOT NULL,
  "hash" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "expires_at" TIMESTAMPTZ(3),
  CONSTRAINT "oauth_client_secrets_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "oauth_client_secrets_organization_id_client_ref_fkey" FOREIGN KEY ("organization_id", "client_ref") REFERENCES "oauth_clients" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "oauth_client_secrets_organization_id_client_ref_idx" ON "oauth_client_secrets" ("organization_id", "client_ref");

CREATE TABLE "signing_keys" (
  "id" TEXT NOT NULL,
  "algorithm" TEXT NOT NULL,
  "public_jwk" JSONB NOT NULL,
  "sealed_private" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "signs_from" TIMESTAMPTZ(3) NOT NULL,
  "retires_at" TIMESTAMPTZ(3),
  CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "event_idempotency_keys" (
  "organization_id" UUID NOT NULL,
  "key" TEXT NOT NULL,
  "event_id" UUID NOT NULL,
  "request_hash" BYTEA NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "event_idempotency_keys_pkey" PRIMARY KEY ("organization_id", "key")
);
CREATE INDEX "event_idempotency_keys_expires_at_idx" ON "event_idempotency_keys" ("expires_at");

CREATE TABLE "webhook_subscriptions" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "target_url" TEXT NOT NULL,
  "description" TEXT,
  "event_types" TEXT[],
  "status" "WebhookSubscriptionStatus" NOT NULL DEFAULT 'ACTIVE',
  "disabled_reason" TEXT,
  "disabled_at" TIMESTAMPTZ(3),
  "sealed_headers" BYTEA,
  "max_concurrency" INTEGER NOT NULL DEFAULT 10,
  "rate_limit_per_second" INTEGER,
  "retry_seconds" INTEGER[] DEFAULT ARRAY[]::INTEGER[],
  "version" INTEGER NOT NULL DEFAULT 1,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "deleted_at" TIMESTAMPTZ(3),
  CONSTRAINT "webhook_subscriptions_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "webhook_subscriptions_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "webhook_subscriptions_reason_when_disabled" CHECK (("status" = 'DISABLED') = ("disabled_reason" IS NOT NULL)),
  CONSTRAINT "webhook_subscriptions_concurrency_in_range" CHECK ("max_concurrency" BETWEEN 1 AND 100)
);

CREATE TABLE "webhook_secrets" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "subscription_id" UUID NOT NULL,
  "sealed" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "expires_at" TIMESTAMPTZ(3),
  CONSTRAINT "webhook_secrets_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "webhook_secrets_organization_id_subscription_id_fkey" FOREIGN KEY ("organization_id", "subscription_id") REFERENCES "webhook_subscriptions" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX "webhook_secrets_organization_id_subscription_id_idx" ON "webhook_secrets" ("organization_id", "subscription_id");

CREATE TABLE "webhook_subscription_health" (
  "organization_id" UUID NOT NULL,
  "subscription_id" UUID NOT NULL,
  "consecutive_failures" INTEGER NOT NULL DEFAULT 0,
  "failing_since" TIMESTAMPTZ(3),
  "last_success_at" TIMESTAMPTZ(3),
  "last_failure_at" TIMESTAMPTZ(3),
  CONSTRAINT "webhook_subscription_health_pkey" PRIMARY KEY ("organization_id", "subscription_id"),
  CONSTRAINT "webhook_subscription_health_organization_id_subscription_i_fkey" FOREIGN KEY ("organization_id", "subscription_id") REFERENCES "webhook_subscriptions" ("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE
) WITH (fillfactor = 50);
