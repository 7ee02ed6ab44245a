-- How long an attempt of this subscription may take; null: as long as the server gives it.
ALTER TABLE "webhook_subscriptions" ADD COLUMN "timeout_seconds" INTEGER;
