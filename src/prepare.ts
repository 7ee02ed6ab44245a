/** Everything that has to be true of the database before the server serves: it runs, it is migrated, somebody can log in. */
import { join } from 'node:path';
import { type BootstrapResult, bootstrap } from './accounts/bootstrap.ts';
import type { Config } from './config.ts';
import { storeCatalog } from './events/store-catalog.ts';
import type { Clock } from './lib/clock.ts';
import type { MasterKeys } from './lib/crypto.ts';
import { type BootstrappedClient, bootstrapClient } from './oauth/bootstrap-client.ts';
import { createPool } from './platform/database/pool.ts';
import { type LoginUrls, provisionLogins } from './platform/database-roles.ts';
import { startEmbeddedPostgres } from './platform/embedded-postgres/start.ts';
import { installJobs } from './platform/jobs.ts';
import type { Log } from './platform/log.ts';
import { loadMasterKey } from './platform/master-key.ts';
import { migrate } from './platform/migrate/migrate.ts';
import { withOwnerSession, withStartLock } from './platform/migrate/owner-session.ts';

export type Prepared = {
  readonly keys: MasterKeys;
  readonly urls: LoginUrls;
  readonly first: BootstrapResult<BootstrappedClient>;
  /** Stops the embedded database; nothing for one of the operator's. */
  readonly stop: () => Promise<void>;
};

const PRISMA_DIRECTORY = join(import.meta.dirname, '../prisma');

/** Starts the embedded database if there is no other, migrates, makes the logins and the first accounts. Safe to repeat. */
export async function prepare(config: Config, log: Log, clock: Clock): Promise<Prepared> {
  const keys = config.masterKeys ?? (await loadMasterKey(config.dataDirectory));
  const database = await openDatabase(config, log);
  try {
    await migrate({ url: database.url, directory: PRISMA_DIRECTORY, log });
    const urls = await provisionLogins({ ownerUrl: database.url, key: keys[0] });
    const first = await withOwnerSession(database.url, (session) =>
      withStartLock(session, { work: () => furnish(database.url, config, log, clock) }),
    );
    return { keys, urls, first, stop: database.stop };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

async function openDatabase(config: Config, log: Log): Promise<{ url: string; stop: () => Promise<void> }> {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, stop: async () => {} };
  return startEmbeddedPostgres({ directory: join(config.dataDirectory, 'postgres'), log });
}

/** What the owner alone may do: queues, partitions, the catalogue, the first accounts. Processes that start at once take turns. */
async function furnish(url: string, config: Config, log: Log, clock: Clock): Promise<Prepared['first']> {
  const owner = createPool({
    url,
    maxConnections: 2,
    queryTimeoutMs: 0, // Tables may have to be changed.
    onIdleError: (error) => log.warn({ error }, 'a connection of the owner broke'),
  });
  try {
    await installJobs(owner);
    await owner.query('SELECT optio.ensure_partitions()');
    await storeCatalog(owner);
    const { adminEmail, adminPassword, clientId, clientSecret } = config.bootstrap;
    return await bootstrap({
      pool: owner,
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
  } finally {
    await owner.end();
  }
}
