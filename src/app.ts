/** The composition root: everything is wired here, by hand. */
import type { Server } from 'node:http';
import type { Hono } from 'hono';
import { createAccounts } from './accounts/accounts.ts';
import { createActRecord } from './accounts/act-record.ts';
import { PASSWORD_GATE } from './accounts/password-check.ts';
import { startPeople } from './accounts/people.ts';
import { startRefusals } from './audit/refusals.ts';
import type { Config } from './config.ts';
import { runDemo } from './demo/demo.ts';
import { DEMO_ACCOUNTS, DEMO_PASSWORD } from './demo/school.ts';
import { forgetExpiredKeys } from './events/idempotency-keys.ts';
import { emitRegistered } from './events/registered.ts';
import { createGraphQLServer } from './graphql/server.ts';
import type { Clock } from './lib/clock.ts';
import { createGate } from './lib/gate.ts';
import { repeat } from './lib/repeat.ts';
import { createObservers, watch } from './metrics.ts';
import { createAuthorization } from './oauth/authorization.ts';
import { createOAuth } from './oauth/authorization-server.ts';
import { OAUTH_LIMITS } from './oauth/limits.ts';
import { startDatabaseClock } from './platform/database/database-clock.ts';
import { keepPartitions } from './platform/database/partitions.ts';
import { createPool } from './platform/database/pool.ts';
import { createTenancy } from './platform/database/tenancy.ts';
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
import { forgetReplays } from './webhooks/replay-clean-up.ts';
import { startUpdates } from './webhooks/updates.ts';

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
const MAINTENANCE_MS = 3_600_000;
/** How many connections each pool may have; docs/guides/connections.md adds them up. */
const POOL_SIZES = { tenant: 20, worker: 10, auth: 10 } as const;

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
  const tenancy = createTenancy({ url: urls.tenantUrl, maxConnections: POOL_SIZES.tenant, ...database });
  const workerPool = createPool({ url: urls.workerUrl, maxConnections: POOL_SIZES.worker, ...database });
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
    onError: report('a job failed'),
  });
  const lanes = createLaneQueue({
    jobs,
    doorbell,
    onError: report('lanes could not be queued; the scan will find them'),
  });
  const webhooks = { clock: sharedClock, keys, targetPolicy: config.webhooks, wakeLanes: lanes.wake, trace };

  const refusals = startRefusals({
    pool: authPool,
    clock,
    onError: report('refused attempts could not be recorded'),
  });
  const oauth = createOAuth({
    pool: authPool,
    masterKeys: keys,
    signingAlgorithm: config.signingAlgorithm,
    issuer: publicUrl,
    clock,
    reportError: (error) => log.error({ error }, 'the authorization server failed'),
    refusals,
    limits: { ...OAUTH_LIMITS, requestsPerMinute: config.oauthRequestsPerMinute },
    onReuse: (fields) => log.warn(fields, 'what was exchanged before came again; its grant was ended'),
  });
  const gate = createGate(PASSWORD_GATE);
  const forPeople = { pool: authPool, clock, keys, publicUrl, gate };
  const accounts = createAccounts({
    ...forPeople,
    corsOrigins: config.corsOrigins,
    requireSecondFactor: config.requireSecondFactor,
    record: createActRecord({ pool: authPool, clock, refusals }),
    demo:
      prepared.demo === undefined
        ? undefined
        : { accounts: DEMO_ACCOUNTS.slice(0, 3), password: DEMO_PASSWORD },
  });
  const { guard } = accounts;
  const consents = createAuthorization({ ...forPeople, issuer: publicUrl, guard, limits: oauth.limits });
  const updates = startUpdates({
    pool: workerPool,
    doorbell,
    clock,
    findValid: async (viewers) => {
      const held = await Promise.all([oauth.findHeld(viewers), accounts.viewers.findHeld(viewers)]);
      return new Set(held.flatMap((some) => [...some]));
    },
    onError: report('the live stream could not be read'),
  });
  const people = startPeople({
    ...forPeople,
    transport: createMailTransport(config),
    sends: config.role !== 'api',
    onMemberJoined: async (tx, member) => (await emitRegistered(tx, member, webhooks)).wake,
    warn: (fields, message) => log.warn(fields, message),
  });
  if (!people.mail.canSend) {
    log.warn(
      {},
      'no mail is sent: SMTP_URL and MAIL_FROM are not set, so nobody can be invited or get a new password',
    );
  }
  const graphql = createGraphQLServer({
    tenancy,
    webhooks,
    people: { clock, keys, mail: people.mail },
    subscribeToUpdates: updates.subscribe,
    followReplay: updates.followReplay,
    ownSessions: accounts.ownSessions,
    connectedApps: consents.connectedApps,
    resetSecondFactor: people.resetSecondFactor,
    clientReviews: oauth.clientReviews,
    retentionLimits: config.retention,
    authenticate: async (headers) => {
      const authorization = headers.get('authorization');
      return authorization === null
        ? accounts.viewers.authenticate(headers)
        : oauth.authenticate({ authorization, url: '/graphql' });
    },
    challenge: oauth.challenge,
    logError: (fields, message) => log.error(fields, message),
    publicUrl,
    corsOrigins: config.corsOrigins,
    trustedProxies: config.trustedProxies,
    observeOperation,
    trace,
    limits: { pointsPerMinute: config.graphqlPointsPerMinute },
  });

  const demo =
    prepared.demo === undefined
      ? undefined
      : runDemo({
          ...webhooks,
          demo: prepared.demo,
          pool: workerPool,
          tenancy,
          trickles: config.role === 'all',
          onError: report('the demo met an error'),
        });

  let stopping = false;
  const routes = createRoutes({
    log,
    clock,
    publicUrl,
    role: config.role,
    trustedProxies: config.trustedProxies,
    graphql: graphql.fetch,
    oauth: oauth.routes,
    pages: [consents.pages, accounts.pages, people.pages],
    demo: demo?.routes,
    rest: {
      ...webhooks,
      tenancy,
      authenticate: oauth.authenticate,
      authenticateSession: accounts.viewers.authenticate,
      publicUrl,
      challenge: oauth.challenge,
      corsOrigins: config.corsOrigins,
    },
    health: {
      pingDatabase: () => workerPool.query({ text: 'SELECT 1', ...PING }),
      // Migrations are applied before anything is served, and are never undone.
      isMigrated: async () => true,
      isStopping: () => stopping,
    },
    metrics: { print: metrics.print, token: config.metricsToken },
    observeRequest,
    trace,
  });
  const deliveries =
    config.role === 'api'
      ? undefined
      : startDeliveries({
          pool: workerPool,
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
      tenant: { connections: tenancy.connections, max: POOL_SIZES.tenant },
      worker: { connections: workerPool, max: POOL_SIZES.worker },
      auth: { connections: authPool, max: POOL_SIZES.auth },
    },
    subscriberCount: updates.subscriberCount,
    deliveries,
    workerPool,
    authPool,
    clock: sharedClock,
    onError: report('a metric could not be read'),
  });
  const maintenance = repeat(
    async () => {
      await keepPartitions({ pool: workerPool, now: sharedClock.now(), retention: config.retention });
      await forgetExpiredKeys(workerPool, sharedClock.now());
      await forgetReplays(workerPool, { now: sharedClock.now(), days: config.retention.days });
      await oauth.keepSigningKeys();
      await oauth.cleanUp();
      await accounts.cleanUp();
      await people.cleanUp();
    },
    { intervalMs: MAINTENANCE_MS, onError: report('maintenance failed; it is tried again in an hour') },
  );

  const sockets: { close: () => Promise<void> }[] = [];
  return {
    fetch: (request, peerAddress) => routes.fetch(request, { peerAddress }),
    routes: routes.routes,
    attach: (server) => {
      if (config.role !== 'worker') sockets.push(graphql.attachWebSocket(server));
    },
    stop: async () => {
      stopping = true;
      await demo?.stop();
      await updates.close();
      await Promise.all(sockets.map((socket) => socket.close()));
      await Promise.all([
        maintenance.stop(),
        people.stop(),
        deliveries?.stop(),
        lanes.flush(),
        refusals.stop(),
      ]);
      await Promise.all([jobs.stop(), sharedClock.stop()]);
      await doorbell.close();
      await Promise.all([tenancy.close(), workerPool.end(), authPool.end()]);
      await tracing?.close();
    },
  };
}
