/** Plain pools for the hand-written SQL of the worker and the authorization server. */
import { type ClientBase, Pool, type PoolClient } from 'pg';
import { isDatabaseUnavailable, translateDatabaseError } from './unavailable.ts';

export type PoolOptions = {
  readonly url: string;
  readonly maxConnections: number;
  readonly onIdleError: (error: Error) => void;
  /** How long a statement may take before its connection is given up; see `givingUpAfter`. */
  readonly queryTimeoutMs?: number | undefined;
  /** Settings of PostgreSQL that each connection begins with, by name: constants of ours. It is kept, however long it is idle. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
};

export const DEFAULT_QUERY_TIMEOUT_MS = 15_000;

/**
 * What keeps a connection from hanging: a database that stops answering without closing (a frozen machine, a network
 * that drops packets) is noticed by the statement that waits for it, and by the operating system where nothing does.
 * The limits that the server itself keeps (database-roles.ts) do not help then.
 */
export function givingUpAfter(queryTimeoutMs: number = DEFAULT_QUERY_TIMEOUT_MS) {
  return {
    connectionTimeoutMillis: 4_000,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  } as const;
}

/** A pool for `url`; one connection of it breaking while idle is reported and does not end the process. */
export function createPool({
  url,
  maxConnections,
  onIdleError,
  queryTimeoutMs,
  settings,
}: PoolOptions): Pool {
  const pool = new Pool({
    connectionString: url,
    max: maxConnections,
    idleTimeoutMillis: settings === undefined ? 60_000 : 0,
    ...givingUpAfter(queryTimeoutMs),
    ...(settings === undefined ? {} : { onConnect: apply(settings, onIdleError) }),
  });
  reportIdleErrors(pool, onIdleError);
  return pool;
}

/** What is asked of the connection next comes after it. */
function apply(settings: Readonly<Record<string, string>>, onError: (error: Error) => void) {
  return (client: ClientBase): void => {
    client.query(toStatements(settings)).catch(onError);
  };
}

function toStatements(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `SET ${name} = ${value}`)
    .join(';');
}

/**
 * Reports connections that break while idle, until the pool is closed: `end` resolves before its connections are gone.
 * One that breaks at another time fails whoever uses it.
 */
export function reportIdleErrors(pool: Pool, report: (error: Error) => void): void {
  // While it is in use, or handed over just now, it says so a second time: unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => {
    if (!pool.ending) report(error);
  });
}

/** What can run one statement: a pool, or a client in a transaction. */
export type Queryable = Pick<Pool | PoolClient, 'query'>;

/** Runs `work` in a transaction on one connection; a throw rolls back. */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translateDatabaseError(error);
  });
  try {
    await client.query('BEGIN');
    const result = await work(client);
    assertCommitted(await client.query('COMMIT'));
    client.release();
    return result;
  } catch (error) {
    // A connection that does not answer would not answer to a ROLLBACK either; closed, it is one.
    if (isDatabaseUnavailable(error)) client.release(true);
    else await rollBack(client);
    throw translateDatabaseError(error);
  }
}

async function rollBack(client: PoolClient): Promise<void> {
  await client.query('ROLLBACK').then(
    () => client.release(),
    (error: Error) => client.release(error),
  );
}

/** Throws when a COMMIT was answered by a rollback, as PostgreSQL does, without an error, after a statement had failed. */
export function assertCommitted(commit: { readonly command: string }): void {
  if (commit.command === 'ROLLBACK') {
    throw new Error(
      'The transaction was rolled back instead of committed: one of its statements had failed.',
    );
  }
}
