/**
 * Brings deliveries to where the status of their subscription says they belong. The status is the truth at once: claim
 * and emit look at it. The rows follow in bounded pieces, the first one with the change itself, the others here. What
 * is to be moved is seen from the rows alone, so that nothing has to be remembered over a crash, and what an emit that
 * was under way during the change left behind is found the same way (docs/adr/0020).
 */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { type Repeating, repeat } from '../lib/repeat.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJob, LaneJobs } from '../platform/jobs.ts';

/** Deliveries that one statement moves, and locks, at most. */
export const PIECE = 500;

export type MoverOptions = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly jobs: Pick<LaneJobs, 'enqueue'>;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onError: (error: Error) => void;
};

/** Moves what is out of place, once a second; of several workers one at a time looks for it. */
export function startMover(options: MoverOptions): Pick<Repeating, 'stop'> {
  let stopped = false;
  const moving = repeat(() => moveMisplaced(options, () => stopped), {
    intervalMs: 1_000,
    onError: options.onError,
  });
  return {
    stop: () => {
      stopped = true;
      return moving.stop();
    },
  };
}

/** Moves everything that is out of place now: a piece of each subscription in turn, each piece a transaction of its own. */
export async function moveMisplaced(options: MoverOptions, isStopped = () => false): Promise<void> {
  let lanes = await findMisplaced(options.pool);
  while (lanes.length > 0 && !isStopped()) {
    const unfinished: LaneJob[] = [];
    for (const lane of lanes) {
      if (isStopped()) return;
      if ((await movePiece(options, lane)) === PIECE) unfinished.push(lane);
    }
    lanes = unfinished;
  }
}

/** Moves the first piece in the transaction that changes the subscription; where there is little, that is all of it. */
export async function moveFirstPiece(
  tx: Tx,
  { organizationId, subscriptionId }: LaneJob,
  now: Date,
): Promise<void> {
  await tx.$queryRaw`SELECT optio.move_deliveries(${organizationId}::uuid, ${subscriptionId}::uuid, ${now}::timestamptz, ${PIECE}::int)`;
}

async function movePiece({ pool, clock, jobs, doorbell }: MoverOptions, lane: LaneJob): Promise<number> {
  const { rows } = await pool.query<{ moved: number }>({
    name: 'move-deliveries',
    text: 'SELECT optio.move_deliveries($1, $2, $3, $4) AS moved',
    values: [lane.organizationId, lane.subscriptionId, clock.now(), PIECE],
  });
  const moved = rows[0]?.moved ?? 0;
  if (moved === 0) return 0;
  // What was released is due now; for what was held or cancelled the turn is a short one.
  await jobs.enqueue([lane]);
  doorbell.ring('lanes');
  doorbell.ring('queue');
  doorbell.ring('updates');
  return moved;
}

// Two loose scans, one probe for each subscription that has something waiting (deliveries_waiting) or held
// (deliveries_held), however much that is; and the few whose deliveries are being discarded
// (webhook_subscriptions_discarding). Only who gets the lock looks.
// LIMIT, not EXISTS: of that the planner could make a join that reads all that waits.
const FIND_MISPLACED = `
  WITH RECURSIVE waiting AS (
    (SELECT organization_id, subscription_id FROM deliveries
      WHERE due_at IS NOT NULL ORDER BY subscription_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.* FROM waiting, LATERAL (
      SELECT organization_id, subscription_id FROM deliveries
      WHERE due_at IS NOT NULL AND subscription_id > waiting.subscription_id
      ORDER BY subscription_id, due_at LIMIT 1) AS following
  ), held AS (
    (SELECT organization_id, subscription_id FROM deliveries
      WHERE status = 'HELD' ORDER BY organization_id, subscription_id LIMIT 1)
    UNION ALL
    SELECT following.* FROM held, LATERAL (
      SELECT organization_id, subscription_id FROM deliveries
      WHERE status = 'HELD' AND (organization_id, subscription_id) > (held.organization_id, held.subscription_id)
      ORDER BY organization_id, subscription_id LIMIT 1) AS following
  ), misplaced AS (
    SELECT s.organization_id, s.id FROM waiting w
    JOIN webhook_subscriptions s ON s.organization_id = w.organization_id AND s.id = w.subscription_id
    CROSS JOIN LATERAL (
      SELECT FROM deliveries d
      WHERE d.subscription_id = s.id AND d.due_at IS NOT NULL AND (s.deleted_at IS NOT NULL OR NOT d.is_test)
      ORDER BY d.due_at LIMIT 1) AS moving
    WHERE s.deleted_at IS NOT NULL OR s.status <> 'ACTIVE'
    UNION
    SELECT s.organization_id, s.id FROM held h
    JOIN webhook_subscriptions s ON s.organization_id = h.organization_id AND s.id = h.subscription_id
    WHERE s.deleted_at IS NOT NULL OR s.status = 'ACTIVE'
    UNION
    SELECT organization_id, id FROM webhook_subscriptions WHERE discard_before IS NOT NULL
  )
  SELECT organization_id AS "organizationId", id AS "subscriptionId" FROM misplaced
  WHERE pg_try_advisory_xact_lock(7431, 5)`;

/** The subscriptions with deliveries that are not where its status says they belong. */
export async function findMisplaced(pool: Pool): Promise<readonly LaneJob[]> {
  const { rows } = await pool.query<LaneJob>({ name: 'find-misplaced', text: FIND_MISPLACED });
  return rows;
}
