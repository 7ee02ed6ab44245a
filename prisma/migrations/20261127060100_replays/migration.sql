-- Replays: past deliveries, or events that were never delivered, sent in the background (docs/adr/0043).

CREATE TYPE "ReplayState" AS ENUM ('RUNNING', 'COMPLETED', 'CANCELLED');

CREATE TABLE "replays" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "state" "ReplayState" NOT NULL DEFAULT 'RUNNING',
  "user_id" UUID,
  "client_id" TEXT,
  -- Events that the subscription was never sent, rather than deliveries again.
  "missing" BOOLEAN NOT NULL,
  "subscription_id" UUID,
  "event_types" TEXT[],
  "statuses" "DeliveryStatus"[],
  "since" TIMESTAMPTZ(3),
  "until" TIMESTAMPTZ(3) NOT NULL,
  "rate_per_second" INTEGER NOT NULL,
  "total" INTEGER NOT NULL,
  "replayed" INTEGER NOT NULL DEFAULT 0,
  -- The last delivery, or event, that was looked at.
  "position" UUID NOT NULL,
  "next_at" TIMESTAMPTZ(3) NOT NULL,
  "version" INTEGER NOT NULL DEFAULT 1,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "ended_at" TIMESTAMPTZ(3),
  CONSTRAINT "replays_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "replays_ended" CHECK (("ended_at" IS NULL) = ("state" = 'RUNNING'))
);
-- What there is to do.
CREATE INDEX "replays_running" ON "replays" ("next_at") WHERE "state" = 'RUNNING';

ALTER TABLE "deliveries" ADD COLUMN "replay_id" UUID;
CREATE INDEX "deliveries_of_replay" ON "deliveries" ("organization_id", "replay_id", "id") WHERE "replay_id" IS NOT NULL;
-- Those that have not ended: there are few, however large the replay is.
CREATE INDEX "deliveries_of_replay_open" ON "deliveries" ("replay_id") WHERE "replay_id" IS NOT NULL AND "completed_at" IS NULL;

ALTER TABLE "replays" ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON "replays" TO optio_tenant;
GRANT SELECT, UPDATE ON "replays" TO optio_worker;
GRANT INSERT ON "deliveries" TO optio_worker;
CREATE POLICY tenant_admin ON "replays" TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.is_admin());
CREATE POLICY worker ON "replays" TO optio_worker USING (true);
