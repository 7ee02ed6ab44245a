-- The delivery log by status, one small index for each that is rare. What succeeds at once, nearly everything, is never in
-- one of them and costs nothing; a list of that finds it by the primary key. What waits is found in deliveries_waiting.
-- Apart, not as (organization_id, status, id): under row-level security the comparison of an enum, which is not leakproof,
-- can neither be a condition on an index nor be estimated, but it can imply the predicate of one.
CREATE INDEX "deliveries_held_by_id" ON "deliveries" ("organization_id", "id") WHERE "status" = 'HELD';
CREATE INDEX "deliveries_failed_by_id" ON "deliveries" ("organization_id", "id") WHERE "status" = 'FAILED';
CREATE INDEX "deliveries_cancelled_by_id" ON "deliveries" ("organization_id", "id") WHERE "status" = 'CANCELLED';
