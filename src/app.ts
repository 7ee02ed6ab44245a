/** The composition root: what every process has is wired here, by hand; what answers people and programs in doors.ts. */
import type { Server } from 'node:http';
import type { Hono } from 'hono';
import { startPeopleMailer } from './accounts/people-mailer.ts';
import type { Config } from './config.ts';
import type { Doors, DoorsOptions } from './doors.ts';
import type { Clock } from './lib/clock.ts';
import { startMaintenance } from './maintenance.ts';
import { createObservers, watch } from './metrics.ts';
import { startDatabaseClock } from './platform/database/database-clock.ts';
import { createPool } from './platform/database/pool.ts';
import { openDoorbell } from './platform/doorbell.ts';
import type { HttpEnv } from './platform/http/env.ts';
import { startLaneJobs } from './platform/jobs.ts';
import type { Log } from './platform/log.ts';
import { createMailTransport } from './platform/mail/transport.ts';
import { createMetrics } from './platform/metrics/metrics.ts';
import type { Prepared } from './prepare.ts';
import { createRoutes } from './routes.ts';
import { openTracing } from './tracing.ts';
import { startDeliveries } from './webhooks/deliveries.ts';
import { createLaneQueue } from './webhooks/lane-queue.ts';
import { CLAIM_SETTINGS } from './webhooks/lane-sql.ts';

export type App = {
  /** `peerAddress`: the other end of the socket. */
  readonly fetch: (request: Request, peerAddress: string | undefined) => Response | Promise<Response>;
  /** What is mounted, for whoever wants to list it. */
  readonly routes: Hono<HttpEnv>['routes'];
  /** Takes over the WebSocket upgrades of the HTTP server. */
  readonly attach: (server: Server) => void;
  /** Finishes what is in flight, then closes everything the app opened. */
  readonly stop: () => Promise<void>;
};

export type AppOptions = {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly prepared: Pick<Prepared, 'keys' | 'urls' | 'demo'>;
  readonly publicUrl: string;
};

// Whoever asks whether it is ready wants to know soon.
const PING = { query_timeout: 2_000 };
/** How many connections each pool may have; docs/guides/connections.md adds them up. */
const POOL_SIZES = { tenant: 20, worker: 9, claims: 1, auth: 10 } as const;

/** Starts the app on a prepared database, in the role that the configuration names. */
export async function startApp({ config, log, clock, prepared, publicUrl }: AppOptions): Promise<App> {
  const { keys, urls } = prepared;
  const report = (message: string) => (error: Error) => log.warn({ error }, message);
  const tracing = await openTracing(config, report('traces cannot be sent'));
  const trace = tracing?.trace;
  const metrics = createMetrics();
  const { observeRequest, observeOperation, observeSettled } = createObservers(metrics);
  const onIdleError = report('a database connection broke');
  const database = { queryTimeoutMs: config.databaseTimeoutMs, onIdleError };
  const workerPool = createPool({ url: urls.workerUrl, maxConnections: POOL_SIZES.worker, ...database });
  const claimPool = createPool({
    url: urls.workerUrl,
    maxConnections: POOL_SIZES.claims,
    settings: CLAIM_SETTINGS,
    ...database,
  });
  const authPool = createPool({ url: urls.authUrl, maxConnections: POOL_SIZES.auth, ...database });

  const doorbell = openDoorbell({
    pool: workerPool,
    url: urls.workerUrl,
    queryTimeoutMs: config.databaseTimeoutMs,
    onError: report('the doorbell does not ring'),
  });
  // For deliveries, whose times several processes have to agree on; tokens and sessions go by the clock of this machine.
  const sharedClock = await startDatabaseClock({
    pool: workerPool,
    onError: report('the time of the database could not be read'),
  });
  const jobs = await startLaneJobs(workerPool, {
    supervise: config.role !== 'api',
    takePool: claimPool,
    onError: report('a job failed'),
  });
  const lanes = createLaneQueue({
    jobs,
    doorbell,
    onError: report('lanes could not be queued; the scan will find them'),
  });
  const people = startPeopleMailer({
    pool: authPool,
    clock,
    publicUrl,
    transport: await createMailTransport(config),
    sends: config.role !== 'api',
    warn: (fields, message) => log.warn(fields, message),
  });
  if (!people.mail.canSend) {
    log.warn(
      {},
      'no mail is sent: SMTP_URL and MAIL_FROM are not set, so nobody can be invited or get a new password',
    );
  }
  const doors = await openDoorsOf(config.role, {
    config,
    log,
    clock,
    sharedClock,
    prepared,
    publicUrl,
    workerPool,
    authPool,
    tenantPool: { maxConnections: POOL_SIZES.tenant, ...database },
    doorbell,
    wakeLanes: lanes.wake,
    mail: people.mail,
    trace,
    observeOperation,
  });

  let stopping = false;
  const routes = createRoutes({
    log,
    clock,
    publicUrl,
    trustedProxies: config.trustedProxies,
    health: {
      pingDatabase: () => workerPool.query({ text: 'SELECT 1', ...PING }),
      // Migrations are applied before anything is served, and are never undone.
      isMigrated: async () => true,
      isStopping: () => stopping,
    },
    metrics: { print: metrics.print, token: config.metricsToken },
    observeRequest,
    trace,
    mountDoors: doors?.mount,
  });
  const deliveries =
    config.role === 'api'
      ? undefined
      : startDeliveries({
          pool: workerPool,
          claimPool,
          jobs,
          doorbell,
          clock: sharedClock,
          keys,
          settings: config.webhooks,
          onError: report('sending deliveries met an error'),
          observeSettled,
          laneQueue: lanes,
          trace,
        });
  watch(metrics, {
    role: config.role,
    pools: {
      ...(doors === undefined
        ? {}
        : { tenant: { connections: doors.tenantConnections, max: POOL_SIZES.tenant } }),
      worker: { connections: workerPool, max: POOL_SIZES.worker },
      claims: { connections: claimPool, max: POOL_SIZES.claims },
      auth: { connections: authPool, max: POOL_SIZES.auth },
    },
    subscriberCount: doors?.subscriberCount ?? (() => 0),
    deliveries,
    workerPool,
    authPool,
    clock: sharedClock,
    onError: report('a metric could not be read'),
  });
  const maintenance = startMaintenance({
    config,
    keys,
    workerPool,
    authPool,
    clock,
    sharedClock,
    onError: report('maintenance failed; it is tried again in an hour'),
  });

  return {
    fetch: (request, peerAddress) => routes.fetch(request, { peerAddress }),
    routes: routes.routes,
    attach: (server) => doors?.attach(server),
    stop: async () => {
      stopping = true;
      await doors?.stop();
      await Promise.all([maintenance.stop(), people.stop(), deliveries?.stop(), lanes.flush()]);
      await Promise.all([jobs.stop(), sharedClock.stop()]);
      await doorbell.close();
      await Promise.all([doors?.close(), workerPool.end(), claimPool.end(), authPool.end()]);
      await tracing?.close();
    },
  };
}

/** Loaded where they are opened: without them a worker takes half the memory. */
async function openDoorsOf(role: Config['role'], options: DoorsOptions): Promise<Doors | undefined> {
  if (role === 'worker') return undefined;
  const { openDoors } = await import('./doors.ts');
  return openDoors(options);
}
