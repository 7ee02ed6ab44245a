/** A whole Optio Connect without its doors: a database of its own, features, workers, the live stream, a clock to turn. */
import type { Pool } from 'pg';
import { type RequestContext, requestContext, type Viewer } from '../../src/accounts/viewer.ts';
import { EVENT_TYPES } from '../../src/events/event-type.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTenancy, type Tenancy } from '../../src/platform/database/tenancy.ts';
import { type Doorbell, openDoorbell } from '../../src/platform/doorbell.ts';
import { parseCidrs } from '../../src/platform/ip-range.ts';
import { installJobs, type LaneJobs, startLaneJobs } from '../../src/platform/jobs.ts';
import type { OutboundOptions } from '../../src/platform/outbound/http-client.ts';
import type { WebhookContext } from '../../src/webhooks/context.ts';
import { type Deliveries, startDeliveries } from '../../src/webhooks/deliveries.ts';
import { createLaneQueue } from '../../src/webhooks/lane-queue.ts';
import { CLAIM_SETTINGS } from '../../src/webhooks/lane-sql.ts';
import { startUpdates, type Updates } from '../../src/webhooks/updates.ts';
import { createTestDatabase, query, TEST_KEY, type TestDatabase } from './database.ts';

export type World = {
  readonly database: TestDatabase;
  readonly clock: TurnableClock;
  readonly workerPool: Pool;
  /** With the settings of claims. */
  readonly claimPool: Pool;
  readonly tenancy: Tenancy;
  readonly jobs: LaneJobs;
  readonly doorbell: Doorbell;
  readonly updates: Updates;
  /** Errors that were reported in the background. */
  readonly errors: readonly Error[];
  /** Tokens that no longer hold, as the authorization server would say. */
  readonly revoked: Set<Viewer>;
  readonly createOrganization: () => Promise<string>;
  readonly context: (organizationId: string, viewer?: Partial<Viewer>) => WebhookContext & RequestContext;
  /**
   * Starts another worker. All are stopped at the end. Attempts may take 5 s, or `timeoutMs`. `outbound`: how it sends;
   * `jobs`: by what it takes lanes.
   */
  readonly startWorker: (options?: {
    readonly timeoutMs?: number;
    readonly outbound?: Partial<OutboundOptions>;
    readonly jobs?: LaneJobs;
  }) => Deliveries;
  /** Rows, as the owner sees them. */
  readonly query: (sql: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
};

export const RETRY_SECONDS = [60, 120, 240, 480, 960] as const;

const LOOPBACK = { allow: parseCidrs('127.0.0.0/8'), allowHttp: true };
const ALL_SCOPES = ['read:webhooks', 'write:webhooks', 'read:events', 'write:events'];

export async function openWorld(): Promise<World> {
  const database = await createTestDatabase();
  const clock = turnableClock(new Date());
  const errors: Error[] = [];
  const onError = (error: Error): void => void errors.push(error);
  const owner = createPool({ url: database.ownerUrl, maxConnections: 1, onIdleError: onError });
  await installJobs(owner);
  await owner.end();
  const tenancy = createTenancy({ url: database.urls.tenantUrl, maxConnections: 4, onIdleError: onError });
  const workerPool = createPool({ url: database.urls.workerUrl, maxConnections: 6, onIdleError: onError });
  const claimPool = createPool({
    url: database.urls.workerUrl,
    maxConnections: 1,
    settings: CLAIM_SETTINGS,
    onIdleError: onError,
  });
  const doorbell = openDoorbell({ pool: workerPool, url: database.urls.workerUrl, onError });
  const jobs = await startLaneJobs(workerPool, { supervise: true, takePool: claimPool, onError });
  const lanes = createLaneQueue({ jobs, doorbell, onError });
  const revoked = new Set<Viewer>();
  const findValid = async (viewers: readonly Viewer[]) =>
    new Set(viewers.filter((viewer) => !revoked.has(viewer)));
  const updates = startUpdates({ pool: workerPool, doorbell, clock, findValid, onError });
  const workers: Deliveries[] = [];
  return {
    database,
    clock,
    workerPool,
    claimPool,
    tenancy,
    jobs,
    doorbell,
    updates,
    errors,
    revoked,
    createOrganization: async () => {
      const id = newId();
      await query(database.ownerUrl, 'INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)', [
        id,
        `school-${id}`,
      ]);
      return id;
    },
    context: (organizationId, viewer) => ({
      ...requestContext(tenancy, machineViewer(organizationId, clock, viewer)),
      clock,
      keys: [TEST_KEY],
      targetPolicy: LOOPBACK,
      wakeLanes: lanes.wake,
    }),
    startWorker: ({ timeoutMs = 5_000, outbound = {}, jobs: ownJobs = jobs } = {}) => {
      const settings = { ...LOOPBACK, timeoutMs, retrySeconds: RETRY_SECONDS, ...outbound };
      const worker = startDeliveries({
        pool: workerPool,
        claimPool,
        jobs: ownJobs,
        doorbell,
        clock,
        keys: [TEST_KEY],
        settings,
        onError,
        laneQueue: lanes,
        random: () => 0,
      });
      workers.push(worker);
      return worker;
    },
    query: (sql, values) => query(database.ownerUrl, sql, values),
    close: async () => {
      await updates.close();
      await Promise.all(workers.map((worker) => worker.stop()));
      await lanes.flush();
      await jobs.stop();
      await doorbell.close();
      await Promise.all([tenancy.close(), workerPool.end(), claimPool.end()]);
      await database.drop();
    },
  };
}

/** An event of the catalogue, as its example shows it. */
export function exampleEvent(type = 'task.completed') {
  const found = EVENT_TYPES.find(({ name }) => name === type);
  if (found === undefined) throw new Error(`There is no event type ${type}.`);
  return { type: found.name, data: found.example };
}

/** A client that acts for its organization. */
export function machineViewer(
  organizationId: string,
  clock: TurnableClock,
  viewer: Partial<Viewer> = {},
): Viewer {
  return {
    organizationId,
    role: 'CLIENT',
    userId: null,
    clientId: 'test-client',
    scopes: ALL_SCOPES,
    expiresAt: new Date(clock.now().getTime() + 30 * 86_400_000),
    tokenId: null,
    ...viewer,
  };
}
