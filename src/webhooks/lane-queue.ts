/** Brings lanes (subscriptions with something due) to the workers: at once after a commit, and by a scan each second. */
import type { Pool } from 'pg';
import type { WakeLanes } from '../events/emit.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJob, LaneJobs } from '../platform/jobs.ts';

const QUIET_MS = 20;

/** A worker of this process. */
export type NearWorker = {
  /** Looks at those of the lanes that it has; answers the others. */
  readonly look: (lanes: readonly LaneJob[]) => readonly LaneJob[];
  /** Takes what nobody has, and queues the rest, which it answers. */
  readonly takeOrQueue: (lanes: readonly LaneJob[]) => Promise<readonly LaneJob[]>;
};

export type LaneQueue = {
  /** Brings lanes to whoever has them or may take them; coalesced, never throws. What is lost with this process, the scan finds. */
  readonly wake: WakeLanes;
  /** A worker of this process comes first: what it has or can take needs no other. Answers a function that ends it. */
  readonly serve: (worker: NearWorker) => () => void;
  /** Waits until everything that was woken is queued. */
  readonly flush: () => Promise<void>;
};

export type LaneQueueOptions = {
  readonly jobs: Pick<LaneJobs, 'enqueue'>;
  readonly doorbell: Pick<Doorbell, 'ring' | 'ringElsewhere'>;
  readonly onError: (error: Error) => void;
};

/**
 * The first lanes are brought at once, those that are woken meanwhile or within 20 ms after it together. A lane that a
 * worker of this process has is nobody else's: it needs neither job nor ring. One that nobody has is taken at once where
 * there is a worker; what is left belongs to others, who are rung for. Where there is none, lanes are queued and rung for
 * twice: whoever has one needs no job to look at it, and whoever takes one does.
 */
export function createLaneQueue({ jobs, doorbell, onError }: LaneQueueOptions): LaneQueue {
  const workers = new Set<NearWorker>();
  let waiting = new Map<string, LaneJob>();
  let running: Promise<void> | undefined;

  const bring = async (woken: readonly LaneJob[]): Promise<void> => {
    const lanes = [...workers].reduce((left, worker) => worker.look(left), woken);
    if (lanes.length === 0) return;
    const [worker] = workers;
    if (worker === undefined) return queue(lanes);
    const left = await worker.takeOrQueue(lanes);
    if (left.length > 0) doorbell.ringElsewhere('lanes');
  };
  const queue = async (lanes: readonly LaneJob[]): Promise<void> => {
    const queued = jobs.enqueue(lanes);
    doorbell.ringElsewhere('lanes');
    await queued;
    doorbell.ring('queue');
  };
  const drain = async (): Promise<void> => {
    while (waiting.size > 0) {
      const lanes = [...waiting.values()];
      waiting = new Map();
      await bring(lanes).catch(onError);
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      // After what was sent meanwhile: its ring, most often, is this one.
      doorbell.ring('updates');
    }
    running = undefined;
  };
  return {
    wake: (organizationId, subscriptionIds) => {
      for (const subscriptionId of subscriptionIds)
        waiting.set(subscriptionId, { organizationId, subscriptionId });
      running ??= drain();
    },
    serve: (worker) => {
      workers.add(worker);
      return () => workers.delete(worker);
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
