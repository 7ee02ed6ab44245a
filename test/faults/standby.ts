/** A second PostgreSQL that follows the first one, statement by statement, and can take its place (webhooks rule 14). */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { Client as Database } from 'pg';
import { findBinaries } from '../../src/platform/embedded-postgres/binaries.ts';
import { postgresArguments } from '../../src/platform/embedded-postgres/settings.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { until } from './until.ts';

export type Standby = {
  readonly url: string;
  /** Makes it the one that is written to. */
  readonly promote: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

const NAME = 'standby';
const RESTART_MS = 200;

/**
 * Copies the primary, whose folder is `from`, while it runs, and follows it. Resolves when no commit of the primary is
 * answered any more before the standby has it.
 */
export async function startStandby(primaryUrl: string, from: string, folder: string): Promise<Standby> {
  const primary = new Database({ connectionString: primaryUrl });
  primary.on('error', () => undefined);
  await primary.connect();
  const data = `${folder}/data`;
  const { uid, gid } = await stat(`${from}/data`);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o711);
  await copy(primary, `${from}/data`, data);
  const own = process.getuid?.() === 0 ? { uid, gid } : {};
  await configure(data, primaryUrl, own);
  const port = await freePort();
  const running = keepRunning(() =>
    spawn(findBinaries().postgres, postgresArguments(data, port, { maxConnections: 200, isDurable: true }), {
      ...own,
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      cwd: folder,
      stdio: 'ignore',
    }),
  );
  await followClosely(primary);
  await primary.end();
  const url = new URL(primaryUrl);
  url.port = String(port);
  return { url: url.href, promote: () => promote(url.href), stop: running.stop };
}

async function copy(primary: Database, from: string, to: string): Promise<void> {
  await primary.query("SELECT pg_backup_start('standby', true)");
  // Files may go while they are copied: what is needed of them is in the log.
  await promisify(execFile)('cp', ['-a', from, to]).catch(() => undefined);
  const { rows } = await primary.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
  await rm(`${to}/postmaster.pid`, { force: true });
  await writeFile(`${to}/backup_label`, rows[0]?.labelfile ?? '');
}

async function configure(
  data: string,
  primaryUrl: string,
  own: { readonly uid?: number; readonly gid?: number },
): Promise<void> {
  const { hostname, port, username, password } = new URL(primaryUrl);
  const address = `host=${hostname} port=${port} user=${username} password=${password} application_name=${NAME}`;
  await writeFile(`${data}/postgresql.auto.conf`, `primary_conninfo = '${address}'\n`);
  await writeFile(`${data}/standby.signal`, '');
  const { uid, gid } = own;
  if (uid === undefined || gid === undefined) return;
  for (const name of ['backup_label', 'postgresql.auto.conf', 'standby.signal']) {
    await chown(`${data}/${name}`, uid, gid);
  }
}

async function followClosely(primary: Database): Promise<void> {
  const isFollowing = async (state: string): Promise<boolean> => {
    const { rowCount } = await primary.query(
      'SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = $2 AND sync_state LIKE $3',
      [NAME, 'streaming', state],
    );
    return rowCount === 1;
  };
  await until('a standby that follows', () => isFollowing('%'), PATIENCE_MS);
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`);
  await primary.query('SELECT pg_reload_conf()');
  await until('a standby that commits wait for', () => isFollowing('sync'), PATIENCE_MS);
}

async function promote(url: string): Promise<void> {
  const database = new Database({ connectionString: url });
  await database.connect();
  await database.query('SELECT pg_promote()');
  await database.end();
}

/** Starts it again when it ends by itself, as whoever looks after a database would. */
function keepRunning(start: () => ChildProcess): { readonly stop: () => Promise<void> } {
  let child = start();
  let restarting: NodeJS.Timeout | undefined;
  const restart = (): void => {
    restarting = setTimeout(() => {
      child = start();
      child.once('exit', restart);
    }, RESTART_MS);
  };
  child.once('exit', restart);
  return {
    stop: async () => {
      child.removeListener('exit', restart);
      clearTimeout(restarting);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGINT');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo; // It listens on a port.
  await new Promise((resolve) => server.close(resolve));
  return port;
}
