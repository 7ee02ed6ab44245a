/**
 * Everything that answers people and programs, wired by hand: authorization server, accounts and their pages, GraphQL
 * with the live stream, REST, the demo. A worker has none of it and loads none of it (docs/adr/0052).
 */
import type { Server } from 'node:http';
import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { createAccounts } from './accounts/accounts.ts';
import { createActRecord } from './accounts/act-record.ts';
import { PASSWORD_GATE } from './accounts/password-check.ts';
import { createPeople } from './accounts/people.ts';
import type { MailAccess } from './accounts/people-mail.ts';
import { startRefusals } from './audit/refusals.ts';
import type { Config } from './config.ts';
import { runDemo } from './demo/demo.ts';
import { DEMO_ACCOUNTS, DEMO_PASSWORD } from './demo/school.ts';
import { mountDoors } from './door-routes.ts';
import type { WakeLanes } from './events/emit.ts';
import { emitRegistered } from './events/registered.ts';
import { createGraphQLServer } from './graphql/server.ts';
import type { Clock } from './lib/clock.ts';
import { createGate } from './lib/gate.ts';
import type { Observers, PoolState } from './metrics.ts';
import { createAuthorization } from './oauth/authorization.ts';
import { createOAuth } from './oauth/authorization-server.ts';
import { OAUTH_LIMITS } from './oauth/limits.ts';
import { createTenancy } from './platform/database/tenancy.ts';
import type { Doorbell } from './platform/doorbell.ts';
import type { HttpEnv } from './platform/http/env.ts';
import type { Log } from './platform/log.ts';
import type { Trace } from './platform/tracing/trace.ts';
import type { Prepared } from './prepare.ts';
import { startUpdates } from './webhooks/updates.ts';

/** What they stand on, which every process has. */
export type DoorsOptions = {
  readonly config: Config;
  readonly log: Log;
  /** Tokens and sessions go by the clock of this machine. */
  readonly clock: Clock;
  /** Deliveries go by the clock of the database. */
  readonly sharedClock: Clock;
  readonly prepared: Pick<Prepared, 'keys' | 'urls' | 'demo'>;
  readonly publicUrl: string;
  readonly workerPool: Pool;
  readonly authPool: Pool;
  /** How the pool of the tenants is opened. */
  readonly tenantPool: {
    readonly maxConnections: number;
    readonly queryTimeoutMs: number;
    readonly onIdleError: (error: Error) => void;
  };
  readonly doorbell: Doorbell;
  readonly wakeLanes: WakeLanes;
  readonly mail: MailAccess;
  readonly trace: Trace | undefined;
  readonly observeOperation: Observers['observeOperation'];
};

export type Doors = {
  /** Mounts their routes. */
  readonly mount: (app: Hono<HttpEnv>) => void;
  readonly tenantConnections: PoolState['connections'];
  /** Live streams that are open. */
  readonly subscriberCount: () => number;
  /** Takes over the WebSocket upgrades of the HTTP server. */
  readonly attach: (server: Server) => void;
  /** Ends streams and sockets, and what the doors do by themselves. */
  readonly stop: () => Promise<void>;
  /** Closes their connections to the database. */
  readonly close: () => Promise<void>;
};

/** Opens all of them. */
export function openDoors(options: DoorsOptions): Doors {
  const { config, log, clock, prepared, publicUrl, workerPool, authPool, doorbell, mail, trace } = options;
  const { keys, urls } = prepared;
  const report = (message: string) => (error: Error) => log.warn({ error }, message);
  const tenancy = createTenancy({ url: urls.tenantUrl, ...options.tenantPool });
  const webhooks = {
    clock: options.sharedClock,
    keys,
    targetPolicy: config.webhooks,
    wakeLanes: options.wakeLanes,
    trace,
  };

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
  const people = createPeople({
    ...forPeople,
    mail,
    onMemberJoined: async (tx, member) => (await emitRegistered(tx, member, webhooks)).wake,
  });
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
  const graphql = createGraphQLServer({
    tenancy,
    webhooks,
    people: { clock, keys, mail },
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
    observeOperation: options.observeOperation,
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

  const sockets: { close: () => Promise<void> }[] = [];
  return {
    mount: (app) =>
      mountDoors(app, {
        publicUrl,
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
      }),
    tenantConnections: tenancy.connections,
    subscriberCount: updates.subscriberCount,
    attach: (server) => void sockets.push(graphql.attachWebSocket(server)),
    stop: async () => {
      await demo?.stop();
      await updates.close();
      await Promise.all(sockets.map((socket) => socket.close()));
      await refusals.stop();
    },
    close: tenancy.close,
  };
}
