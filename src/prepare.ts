/** Everything that has to be true of the database before the server serves: it runs, it is migrated, somebody can log in. */
import { join } from 'node:path';
import type { Pool } from 'pg';
import { type BootstrapResult, bootstrap } from './accounts/bootstrap.ts';
import type { Config } from './config.ts';
import { closeDemo } from './demo/closing.ts';
import type { Demo } from './demo/demo.ts';
import { RECEIVER_PATH } from './demo/school.ts';
import { storeCatalog } from './events/store-catalog.ts';
import type { Clock } from './lib/clock.ts';
import type { MasterKeys } from './lib/crypto.ts';
import { type BootstrappedClient, bootstrapClient } from './oauth/bootstrap-client.ts';
import { makeDataDirectory } from './platform/data-directory.ts';
import { createPool } from './platform/database/pool.ts';
import { type LoginUrls, provisionLogins } from './platform/database-roles.ts';
import { startEmbeddedPostgres } from './platform/embedded-postgres/start.ts';
import { installJobs } from './platform/jobs.ts';
import type { Log } from './platform/log.ts';
import { checkMasterKeys, loadMasterKey } from './platform/master-key.ts';
import { migrate } from './platform/migrate/migrate.ts';
import { withOwnerSession, withStartLock } from './platform/migrate/owner-session.ts';
import { checkTargetUrl } from './platform/outbound/target-url.ts';

export type Prepared = {
  readonly keys: MasterKeys;
  readonly urls: LoginUrls;
  readonly first: BootstrapResult<BootstrappedClient>;
  /** Undefined: there is none, or it is closed. */
  readonly demo: Demo | undefined;
  /** Stops the embedded database; nothing for one of the operator's. */
  readonly stop: () => Promise<void>;
};

const PRISMA_DIRECTORY = join(import.meta.dirname, '../prisma');

export type PrepareOptions = {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  /** The one the server listens on, whatever PORT says. */
  readonly port: number;
};

/** Starts the embedded database if there is no other, migrates, makes the logins and the first accounts. Safe to repeat. */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { config, log } = options;
  const keys = config.masterKeys ?? (await loadMasterKey(config.dataDirectory));
  const database = await openDatabase(config, log);
  try {
    await migrate({ url: database.url, directory: PRISMA_DIRECTORY, log });
    await withOwnerSession(database.url, (session) => checkMasterKeys(session, keys));
    const urls = await provisionLogins({ ownerUrl: database.url, key: keys[0] });
    const furnished = await withOwnerSession(database.url, (session) =>
      withStartLock(session, { work: () => furnish(database.url, keys, options) }),
    );
    return { keys, urls, ...furnished, stop: database.stop };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** The database that the configuration names, or the embedded one, started. */
export async function openDatabase(
  config: Config,
  log: Log,
): Promise<{ url: string; stop: () => Promise<void> }> {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, stop: async () => {} };
  await makeDataDirectory(config.dataDirectory);
  return startEmbeddedPostgres({ directory: join(config.dataDirectory, 'postgres'), log });
}

type Furnished = Pick<Prepared, 'first' | 'demo'>;

/** What the owner alone may do: queues, partitions, the catalogue, the first accounts, the demo. Processes that start at once take turns. */
async function furnish(url: string, keys: MasterKeys, options: PrepareOptions): Promise<Furnished> {
  const { log } = options;
  const pool = createPool({
    url,
    maxConnections: 2,
    queryTimeoutMs: 0, // Tables may have to be changed.
    onIdleError: (error) => log.warn({ error }, 'a connection of the owner broke'),
  });
  try {
    await installJobs(pool);
    await pool.query('SELECT optio.ensure_partitions()');
    await storeCatalog(pool);
    const first = await makeFirst(pool, options);
    return { first, demo: await furnishDemo(pool, keys, first.admin.email, options) };
  } finally {
    await pool.end();
  }
}

function makeFirst(pool: Pool, { config, clock }: PrepareOptions): Promise<Prepared['first']> {
  const { adminEmail, adminPassword, clientId, clientSecret } = config.bootstrap;
  return bootstrap({
    pool,
    clock,
    options: { adminEmail, ...(adminPassword === undefined ? {} : { adminPassword }) },
    bootstrapClient: bootstrapClient(
      {
        ...(clientId === undefined ? {} : { clientId }),
        ...(clientSecret === undefined ? {} : { clientSecret }),
      },
      clock,
    ),
  });
}

async function furnishDemo(
  pool: Pool,
  keys: MasterKeys,
  adminEmail: string,
  { config, log, clock, port }: PrepareOptions,
): Promise<Demo | undefined> {
  if (!config.demo) {
    await closeDemo(pool, clock);
    return undefined;
  }
  const receiverUrl = `http://${hostToCall(config.host)}:${port}${RECEIVER_PATH}`;
  for (const warning of demoWarnings(config, receiverUrl)) log.warn({}, warning);
  const { retrySeconds } = config.webhooks;
  const servesReceiver = config.role !== 'worker';
  // Loaded only where there is a demo.
  const { openDemo } = await import('./demo/demo.ts');
  return openDemo({ pool, clock, keys, adminEmail, receiverUrl, retrySeconds, servesReceiver });
}

/** What an operator should know who shows a demo in an unusual place. */
function demoWarnings({ host, webhooks }: Config, receiverUrl: string): readonly string[] {
  const target = checkTargetUrl(receiverUrl, webhooks);
  return [
    ...(['127.0.0.1', '::1', 'localhost'].includes(host)
      ? []
      : [`whoever reaches ${host} can sign in to the demo, whose passwords are known; DEMO=0 closes it`]),
    ...(target.ok
      ? []
      : [`nothing of the demo is delivered: its receiver is at ${receiverUrl}. ${target.reason}`]),
  ];
}

/** An address of this machine that the server listens on, as it stands in a URL. */
function hostToCall(host: string): string {
  if (['0.0.0.0', '::', 'localhost'].includes(host)) return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
