/** The PostgreSQL that a server which was killed leaves running. */
import { Client } from 'pg';
import type { Folder } from './cluster.ts';
import { readPidFile } from './pid-file.ts';
import { end, ORPHAN_SHUTDOWN, type Postmaster, watchProcess } from './postmaster.ts';

const ANSWER_WITHIN_MS = 2000;

export type OrphanOptions = {
  readonly folder: Folder;
  /** The owner's connection to the maintenance database. */
  readonly urlAt: (port: number) => string;
  /** What it must run with to be kept: setting and value, as `SHOW` tells it. */
  readonly expected: Readonly<Record<string, string>>;
};

/**
 * Adopts a PostgreSQL that still serves the folder with the expected settings, and ends one that does not.
 * Undefined: none runs there any more. The caller holds the folder's lock.
 */
export async function adoptOrphan(options: OrphanOptions): Promise<Postmaster | undefined> {
  const recorded = await readPidFile(options.folder.data);
  if (recorded?.isAlive !== true) {
    return undefined;
  }
  if (await answersAsExpected(options, recorded.port)) {
    return watchProcess(recorded.pid, recorded.port);
  }
  await end(recorded.pid, ORPHAN_SHUTDOWN);
  return undefined;
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
