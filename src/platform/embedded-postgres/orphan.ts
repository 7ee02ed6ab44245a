/** What a server that was killed leaves behind: a PostgreSQL that still runs, or only its postmaster.pid. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Folder } from './cluster.ts';
import { end, ORPHAN_SHUTDOWN, type Postmaster, watchProcess } from './postmaster.ts';
import { processCommandLine, processIdentity } from './process-identity.ts';

// Above the highest pid that Linux (2^22) and macOS (99998) give.
const NOBODY = '99999999';
const ANSWER_WITHIN_MS = 2000;

type PidFile = { readonly pid: number; readonly dataDirectory: string; readonly port: number };

export type OrphanOptions = {
  readonly folder: Folder;
  /** The owner's connection to the maintenance database. */
  readonly urlAt: (port: number) => string;
  /** What it must run with to be kept: setting and value, as `SHOW` tells it. */
  readonly expected: Readonly<Record<string, string>>;
};

/**
 * Adopts a PostgreSQL that still serves the folder with the expected settings, ends one that does not, and
 * disarms a postmaster.pid whose pid now belongs to another program. Undefined: the folder is free to start.
 * The caller holds the folder's lock.
 */
export async function adoptOrphan(options: OrphanOptions): Promise<Postmaster | undefined> {
  const recorded = await readPidFile(options.folder);
  if (recorded === undefined || processIdentity(recorded.pid) === undefined) {
    return undefined;
  }
  if (!isPostgresOn(recorded)) {
    await disarm(options.folder);
    return undefined;
  }
  if (await answersAsExpected(options, recorded.port)) {
    return watchProcess(recorded.pid, recorded.port);
  }
  await end(recorded.pid, ORPHAN_SHUTDOWN);
  return undefined;
}

/** Lines as PostgreSQL writes them: pid, data folder, start time, port. */
async function readPidFile(folder: Folder): Promise<PidFile | undefined> {
  const text = await readFile(pidFile(folder), 'utf8').catch(() => '');
  const [pid, dataDirectory, , port] = text.split('\n');
  if (!/^\d+$/.test(pid ?? '') || dataDirectory === undefined) {
    return undefined;
  }
  return { pid: Number(pid), dataDirectory, port: Number(port) };
}

function isPostgresOn({ pid, dataDirectory }: PidFile): boolean {
  const commandLine = processCommandLine(pid) ?? '';
  return commandLine.includes('postgres') && commandLine.includes(dataDirectory);
}

/**
 * PostgreSQL refuses to start while the recorded pid is alive, whoever that is. The file itself stays: by its
 * last lines PostgreSQL finds out whether processes of the dead one still use the folder.
 */
async function disarm(folder: Folder): Promise<void> {
  const [, ...rest] = (await readFile(pidFile(folder), 'utf8')).split('\n');
  await writeFile(pidFile(folder), [NOBODY, ...rest].join('\n'));
}

async function answersAsExpected({ urlAt, expected }: OrphanOptions, port: number): Promise<boolean> {
  const client = new Client({
    connectionString: urlAt(port),
    connectionTimeoutMillis: ANSWER_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ fits: boolean }>(
      'SELECT bool_and(current_setting(name) = value) AS fits FROM jsonb_each_text($1) AS e (name, value)',
      [JSON.stringify(expected)],
    );
    return rows[0]?.fits === true;
  } catch {
    // Whatever hinders it, it does not serve us.
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function pidFile(folder: Folder): string {
  return join(folder.data, 'postmaster.pid');
}
