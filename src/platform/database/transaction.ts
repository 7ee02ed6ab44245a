/** A transaction on a connection of its own. Its BEGIN is sent ahead, and so is the COMMIT of what only read: nothing waits for them. */
import { Client, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg';
import { AppError } from '../../lib/errors.ts';
import { assertCommitted } from './pool.ts';
import { isDatabaseUnavailable } from './unavailable.ts';

export type TransactionMode = 'read' | 'write';

export type Transaction = {
  /** Its connection. Queries go through `query`. */
  readonly client: PoolClient;
  readonly limitMs: number;
  /** Runs one statement. Errors: those of PostgreSQL; `UNAVAILABLE` once the time limit has passed. */
  readonly query: <Row extends QueryResultRow>(config: QueryConfig) => Promise<QueryResult<Row>>;
  /** Errors: when PostgreSQL rolled back instead, because a statement had failed. */
  readonly commit: () => Promise<void>;
  /** Ends it after `error`, with nothing done. */
  readonly abandon: (error: unknown) => Promise<void>;
};

export type TransactionOptions = {
  /** What begins it. */
  readonly begin: string;
  readonly mode: TransactionMode;
  /** When it is given up, in milliseconds: its connection is closed, and nothing was done. */
  readonly limitMs: number;
};

/** Begins a transaction on `client`, which is given back when it ends. */
export function openTransaction(
  client: PoolClient,
  { begin, mode, limitMs }: TransactionOptions,
): Transaction {
  let failure: Error | undefined;
  let isOpen = true;
  const end = (error?: Error | boolean): void => {
    clearTimeout(timer);
    if (isOpen) client.release(error);
    isOpen = false;
  };
  const expired = Promise.withResolvers<never>();
  expired.promise.catch(() => undefined);
  const timer = setTimeout(() => {
    failure = tookTooLong(limitMs);
    expired.reject(failure);
    end(true);
  }, limitMs);
  const sendAhead = (sql: string): void => {
    gatherWrites(client);
    client.query(sql).catch((error: Error) => {
      failure ??= error;
    });
  };
  const query: Transaction['query'] = async <Row extends QueryResultRow>(config: QueryConfig) => {
    if (!isOpen) throw failure ?? new Error('A statement came after the end of its transaction.');
    gatherWrites(client);
    const result = await Promise.race([client.query<Row>(config), expired.promise]);
    // Without its BEGIN it would have run for nobody, and found nothing.
    if (failure !== undefined) throw failure;
    return result;
  };

  sendAhead(begin);
  return {
    client,
    limitMs,
    query,
    commit: async () => {
      if (failure !== undefined) throw failure;
      if (mode === 'read') sendAhead('COMMIT');
      else assertCommitted(await query({ text: 'COMMIT' }));
      end();
    },
    abandon: async (error) => {
      // A connection that does not answer would not answer to a ROLLBACK either; closed, it is one.
      if (!isOpen || isDatabaseUnavailable(error)) return end(true);
      try {
        await client.query('ROLLBACK');
        end(failure);
      } catch {
        end(true);
      }
    },
  };
}

/** What is sent before the event loop turns leaves in one write: the BEGIN together with the first statements. */
function gatherWrites(client: PoolClient): void {
  if (!(client instanceof Client)) return;
  const { stream } = client.connection;
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

function tookTooLong(limitMs: number): AppError {
  const message = `The request took the database longer than ${limitMs / 1_000} s and was given up; nothing was done.`;
  return new AppError('UNAVAILABLE', message, { retryAfterSeconds: 1 });
}
