/**
 * PostgreSQL without installing one: the programs come from an optional npm package and run as a process of
 * their own in a folder. It outlives a server that is killed; the next start adopts it.
 */
import { Client, DatabaseError } from 'pg';
import { AppError } from '../../lib/errors.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { type Folder, OWNER, openFolder, prepareCluster } from './cluster.ts';
import { lockFolder } from './folder-lock.ts';
import type { Log } from './log.ts';
import { adoptOrphan } from './orphan.ts';
import { launch, type Postmaster } from './postmaster.ts';
import { type Tuning, tuned } from './settings.ts';
import { supervise } from './supervisor.ts';

const DATABASE = 'optio';
const MAINTENANCE_DATABASE = 'postgres';
const DEFAULT_MAX_CONNECTIONS = 200;

export type EmbeddedPostgres = {
  /** Of the owner, on the database `optio`; the port differs from start to start. */
  readonly url: string;
  /** Shuts PostgreSQL down and frees the folder. May be called more than once; every call waits for the end. */
  readonly stop: () => Promise<void>;
};

export type EmbeddedPostgresOptions = {
  /** For the embedded database alone; made when missing. */
  readonly directory: string;
  readonly log: Log;
  readonly maxConnections?: number;
  /** False for tests only: faster, and lost when the machine crashes. */
  readonly durable?: boolean;
};

/**
 * Starts the embedded PostgreSQL of a folder, on 127.0.0.1 only; makes the database at the first start.
 * Afterwards it accepts connections, and is started again on the same port should it end by itself.
 * Throws `CONFLICT` while another server uses the folder, `UNAVAILABLE` when PostgreSQL is not installed, does
 * not start, or the folder is not fit.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = findBinaries();
  const folder = await openFolder(options.directory, binaries);
  const lock = lockFolder(folder.path);
  try {
    return await startLocked({ ...options, binaries, folder, release: lock.release });
  } catch (error) {
    lock.release();
    throw error;
  }
}

type LockedOptions = EmbeddedPostgresOptions & {
  readonly binaries: Binaries;
  readonly folder: Folder;
  readonly release: () => void;
};

async function startLocked(options: LockedOptions): Promise<EmbeddedPostgres> {
  const { binaries, folder, log } = options;
  const tuning: Tuning = {
    maxConnections: options.maxConnections ?? DEFAULT_MAX_CONNECTIONS,
    isDurable: options.durable ?? true,
  };
  const password = await prepareCluster(folder, binaries, tuning.isDurable);
  const postmaster = await adoptOrLaunch({ binaries, folder, tuning, password, log });
  const { port } = postmaster;
  const supervision = supervise({
    postmaster,
    relaunch: () => launch({ folder, binaries, tuning, port }),
    log,
  });
  const stop = once(async () => {
    await supervision.stop();
    options.release();
  });
  try {
    await ensureDatabase(urlOf(password, port, DATABASE), urlOf(password, port, MAINTENANCE_DATABASE));
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: urlOf(password, port, DATABASE), stop };
}

async function adoptOrLaunch(options: {
  readonly binaries: Binaries;
  readonly folder: Folder;
  readonly tuning: Tuning;
  readonly password: string;
  readonly log: Log;
}): Promise<Postmaster> {
  const { binaries, folder, tuning, password, log } = options;
  const orphan = await adoptOrphan({
    folder,
    urlAt: (port) => urlOf(password, port, MAINTENANCE_DATABASE),
    expected: { ...tuned(tuning), server_version: binaries.version },
  });
  if (orphan !== undefined) {
    log.info({ pid: orphan.pid }, 'adopted the PostgreSQL that an earlier server left running');
    return orphan;
  }
  return launch({ folder, binaries, tuning });
}

/** Connecting also proves that the password fits. */
async function ensureDatabase(url: string, maintenanceUrl: string): Promise<void> {
  try {
    await execute(url, 'SELECT');
  } catch (error) {
    if (!(error instanceof DatabaseError && error.code === '3D000')) {
      throw new AppError('UNAVAILABLE', `The embedded PostgreSQL refuses its owner: ${String(error)}`, {
        cause: error,
      });
    }
    await execute(maintenanceUrl, `CREATE DATABASE ${DATABASE}`);
  }
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function urlOf(password: string, port: number, database: string): string {
  return `postgresql://${OWNER}:${password}@127.0.0.1:${port}/${database}`;
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
