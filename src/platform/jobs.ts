/** Background jobs: pg-boss on our own pool. Its tables are made by the owner at start; worker and API only use them. */
import { DatabaseError, type Pool } from 'pg';
import { type Job, PgBoss } from 'pg-boss';
import { z } from 'zod';
import { createStatementNames } from './database/statement-names.ts';
import { TAKE_OR_QUEUE } from './jobs-sql.ts';

const SCHEMA = 'pgboss';
const LANES = 'lane';
const REPLAYS = 'replay';
const UNIQUE_VIOLATION = '23505';

/** A job as it was fetched: settling it with another count of retries affects nothing. */
export type JobLease = { readonly id: string; readonly retryCount: number };
/** A lane's turn: which subscription has something to send. */
export type LaneJob = { readonly organizationId: string; readonly subscriptionId: string };
/** What there is to replay. */
export type ReplayJob = { readonly organizationId: string; readonly replayId: string };
export type Lease<T> = T & { readonly job: JobLease };
export type LaneLease = Lease<LaneJob>;

/** A queue that holds a thing once at most while it waits, and gives it to one worker at a time. */
export type Turns<T> = {
  /** Queues them; one that is queued already stays as it is. */
  readonly enqueue: (turns: readonly T[]) => Promise<void>;
  /** Takes those that nobody has, and queues the others. */
  readonly takeOrQueue: (turns: readonly T[]) => Promise<readonly Lease<T>[]>;
  /** Takes up to `limit`; nobody else has them until they are completed or their heartbeat stops. */
  readonly take: (limit: number) => Promise<readonly Lease<T>[]>;
  /** Ends turns. A turn that was lost meanwhile is left alone. */
  readonly complete: (leases: readonly Lease<T>[]) => Promise<void>;
  /** Keeps turns; answers those that are still held. */
  readonly renew: (leases: readonly Lease<T>[]) => Promise<readonly Lease<T>[]>;
};

/** The lanes, and beside them the replays. */
export type LaneJobs = Turns<LaneJob> & {
  readonly replays: Turns<ReplayJob>;
  readonly stop: () => Promise<void>;
};

// pg-boss types this answer as an empty object.
const TOUCHED = z.object({ settled: z.array(z.string()) });

// What stalls is taken over after the heartbeat; that spends a retry, so there must be enough of them.
const TURNS_QUEUE = {
  policy: 'stately',
  heartbeatSeconds: 10,
  expireInSeconds: 3_600,
  retryLimit: 1_000_000,
  deleteAfterSeconds: 60,
} as const;

/** Makes or upgrades pg-boss's tables and the queues, and lets the worker and the tenant use them. Safe to repeat. */
export async function installJobs(owner: Pool): Promise<void> {
  const boss = new PgBoss({ db: adapt(owner), schema: SCHEMA, supervise: false, schedule: false });
  await boss.start();
  await boss.createQueue(LANES, TURNS_QUEUE);
  await boss.createQueue(REPLAYS, TURNS_QUEUE);
  await boss.stop({ graceful: false });
  await owner.query(`
    GRANT USAGE ON SCHEMA ${SCHEMA} TO optio_worker;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${SCHEMA} TO optio_worker;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${SCHEMA} TO optio_worker;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${SCHEMA} TO optio_worker;`);
}

export type LaneJobsOptions = {
  /** This process takes part in finding lanes whose worker died. */
  readonly supervise: boolean;
  /** Takes what nobody has. On one connection that is always there and has planned that already, it takes half the time. */
  readonly takePool?: Pool | undefined;
  readonly onError: (error: Error) => void;
};

/** Starts pg-boss on the worker's pool. */
export async function startLaneJobs(pool: Pool, options: LaneJobsOptions): Promise<LaneJobs> {
  const boss = new PgBoss({
    db: adapt(pool),
    schema: SCHEMA,
    migrate: false,
    createSchema: false,
    schedule: false,
    supervise: options.supervise,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    maintenanceIntervalSeconds: 60,
    reindex: false, // Needs the owner of the tables.
    monitorVacuum: false,
  });
  boss.on('error', options.onError);
  await boss.start();
  const shared = { boss, db: prepare(pool), takePool: options.takePool ?? pool };
  return {
    ...turnsOf<LaneJob>({ ...shared, queue: LANES, keyOf: ({ subscriptionId }) => subscriptionId }),
    replays: turnsOf<ReplayJob>({ ...shared, queue: REPLAYS, keyOf: ({ replayId }) => replayId }),
    stop: () => boss.stop({ graceful: false }),
  };
}

type TurnsOptions<T> = {
  readonly boss: PgBoss;
  readonly takePool: Pool;
  readonly db: ReturnType<typeof adapt>;
  readonly queue: string;
  readonly keyOf: (turn: T) => string;
};

function turnsOf<T extends object>({ boss, takePool, db, queue, keyOf }: TurnsOptions<T>): Turns<T> {
  // In one order, so that two that queue the same ones do not wait for each other.
  const inOrder = (turns: readonly T[]) => turns.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const takeWaiting = async (limit: number): Promise<readonly Lease<T>[]> => {
    const jobs = await boss.fetch<T>(queue, { batchSize: limit, includeMetadata: true, db });
    return jobs.map((job) => toLease(job));
  };
  return {
    enqueue: async (turns) => {
      const jobs = inOrder(turns).map((turn) => ({ data: turn, singletonKey: keyOf(turn) }));
      await boss.insert(queue, jobs, { returnId: false, db });
    },
    takeOrQueue: async (turns) => {
      const values = [queue, turns.map(keyOf), turns.map((turn) => JSON.stringify(turn))];
      const { rows } = await takePool.query<TakenRow<T>>({
        name: 'take-or-queue',
        text: TAKE_OR_QUEUE,
        values,
      });
      return rows.map((row) => toLease(row));
    },
    // What was waiting may have been taken by `takeOrQueue` in the same moment; the second look sees that.
    take: (limit) =>
      takeWaiting(limit).catch((error) => {
        if (isTaken(error)) return takeWaiting(limit);
        throw error;
      }),
    complete: async (leases) => {
      if (leases.length > 0) await boss.complete(queue, leases.map(toAttempt), null, { db });
    },
    renew: async (leases) => {
      if (leases.length === 0) return [];
      const { settled } = TOUCHED.parse(await boss.touch(queue, leases.map(toAttempt), { db }));
      const kept = new Set(settled);
      return leases.filter((lease) => kept.has(lease.job.id));
    },
  };
}

type TakenRow<T> = Pick<Job<T>, 'id' | 'data'> & { readonly retryCount: number };

function isTaken(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === UNIQUE_VIOLATION;
}

function toLease<T>(job: TakenRow<T>): Lease<T> {
  return { ...job.data, job: { id: job.id, retryCount: job.retryCount } };
}

function toAttempt({ job }: { readonly job: JobLease }): JobLease {
  return { id: job.id, retryCount: job.retryCount };
}

function adapt(pool: Pool) {
  return { executeSql: (text: string, values?: unknown[]) => pool.query(text, values) };
}

/** As above, for the few statements that run all the time: each connection plans them once. */
function prepare(pool: Pool) {
  const nameOf = createStatementNames('job');
  return {
    executeSql: (text: string, values: unknown[] = []) => {
      const name = nameOf(text);
      return pool.query(name === undefined ? { text, values } : { name, text, values });
    },
  };
}
