/** One connection of the owner for work at the start of a server, and the lock that puts several starts in a row. */
import { Client } from 'pg';
import { AppError } from '../../lib/errors.ts';

/** Not the schema engine's own, for which a waiter gives up after ten seconds. */
const START_LOCK = 7_846_011_729n;

/** Runs `use` on a connection of its own. Throws `UNAVAILABLE` when the database cannot be reached. */
export async function withOwnerSession<Result>(
  url: string,
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ connectionString: url, keepAlive: true });
  // A connection lost while idle shows itself at the next query.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (cause) {
    const { host, port, database } = client;
    throw new AppError(
      'UNAVAILABLE',
      `The database ${database ?? ''} at ${host}:${port} cannot be reached: ${describe(cause)}. Check DATABASE_URL.`,
      { cause },
    );
  }
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

export type StartWork<Result> = {
  readonly work: () => Promise<Result>;
  /** Called once when there is somebody to wait for. */
  readonly onWait?: () => void;
};

/**
 * Runs `work` while no other process does such work on this database, waiting for it as long as that takes;
 * the owner's own time limits do not count from then on.
 */
export async function withStartLock<Result>(client: Client, options: StartWork<Result>): Promise<Result> {
  const { rows } = await client.query<{ taken: boolean }>(
    "SELECT pg_try_advisory_lock($1) AS taken, set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)",
    [START_LOCK],
  );
  if (rows[0]?.taken !== true) {
    options.onWait?.();
    await client.query('SELECT pg_advisory_lock($1)', [START_LOCK]);
  }
  try {
    return await options.work();
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [START_LOCK]);
  }
}

function describe(cause: unknown): string {
  // Several addresses that all refuse come as one error without words of its own.
  const errors: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return errors.map((error) => (error instanceof Error ? error.message : String(error))).join('; ');
}
