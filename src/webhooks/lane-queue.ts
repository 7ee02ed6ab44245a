/** Brings lanes (subscriptions with something due) to the workers: at once after a commit, and by a scan each second. */
import type { Pool } from 'pg';
import type { WakeLanes } from '../events/emit.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJob, LaneJobs } from '../platform/jobs.ts';

const QUIET_MS = 20;

export type LaneQueue = {
  /** Queues lanes and rings; coalesced, never throws. What is lost with this process, the scan finds. */
  readonly wake: WakeLanes;
  /** Waits until everything that was woken is queued. */
  readonly flush: () => Promise<void>;
};

export type LaneQueueOptions = {
  readonly jobs: Pick<LaneJobs, 'enqueue'>;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onError: (error: Error) => void;
};

/**
 * The first lanes are queued at once, those that are woken meanwhile or within 20 ms after it together. Rung for before
 * that, too: a worker that has such a lane needs no job to look at it, and most have been sent to lately.
 */
export function createLaneQueue({ jobs, doorbell, onError }: LaneQueueOptions): LaneQueue {
  let waiting = new Map<string, LaneJob>();
  let running: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    while (waiting.size > 0) {
      const lanes = [...waiting.values()];
      waiting = new Map();
      doorbell.ring('lanes');
      await jobs.enqueue(lanes).catch(onError);
      doorbell.ring('lanes');
      doorbell.ring('updates');
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    }
    running = undefined;
  };
  return {
    wake: (organizationId, subscriptionIds) => {
      for (const subscriptionId of subscriptionIds)
        waiting.set(subscriptionId, { organizationId, subscriptionId });
      running ??= drain();
    },
    flush: () => running ?? Promise.resolve(),
  };
}

// A loose scan: one probe of the index deliveries_waiting for each subscription that waits, however much waits there.
// The probe finds what is due first, so nothing else of the lane is read; asked apart (EXISTS …), the planner would
// sooner read everything that is due.
const FIND_DUE_LANES = `
  WITH RECURSIVE lane AS (
    (SELECT organization_id, subscription_id, due_at FROM deliveries
      WHERE due_at IS NOT NULL ORDER BY subscription_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.* FROM lane, LATERAL (
      SELECT organization_id, subscription_id, due_at FROM deliveries
      WHERE due_at IS NOT NULL AND subscription_id > lane.subscription_id
      ORDER BY subscription_id, due_at LIMIT 1) AS following
  )
  SELECT organization_id AS "organizationId", subscription_id AS "subscriptionId" FROM lane
  WHERE due_at <= $1 AND pg_try_advisory_xact_lock(7431, 2)`;

/**
 * Finds the lanes with something due: retries whose time has come, what SQL emitted, what a crash left behind.
 * Of several workers that ask at the same time, one finds them and the others nothing.
 */
export async function findDueLanes(pool: Pool, now: Date): Promise<readonly LaneJob[]> {
  const { rows } = await pool.query<LaneJob>({ name: 'find-due-lanes', text: FIND_DUE_LANES, values: [now] });
  return rows;
}
