/** Plain pools for the hand-written SQL of the worker and the authorization server. */
import { Pool, type PoolClient } from 'pg';
import { translateDatabaseError } from './unavailable.ts';

export type PoolOptions = {
  readonly url: string;
  readonly maxConnections: number;
  readonly onIdleError: (error: Error) => void;
};

/** A pool for `url`; one connection of it breaking while idle is reported and does not end the process. */
export function createPool({ url, maxConnections, onIdleError }: PoolOptions): Pool {
  const pool = new Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: 4_000,
    idleTimeoutMillis: 60_000,
  });
  pool.on('error', onIdleError);
  // One that breaks while it is in use fails its query, and says so a second time: unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
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
    await client.query('ROLLBACK').then(
      () => client.release(),
      (rollbackError: Error) => client.release(rollbackError),
    );
    throw translateDatabaseError(error);
  }
}

/** Throws when a COMMIT was answered by a rollback, as PostgreSQL does, without an error, after a statement had failed. */
export function assertCommitted(commit: { readonly command: string }): void {
  if (commit.command === 'ROLLBACK') {
    throw new Error(
      'The transaction was rolled back instead of committed: one of its statements had failed.',
    );
  }
}
