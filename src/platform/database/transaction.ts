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
  /** Runs one statement. Errors: those of PostgreSQL; `UNAVAILABLE` once the time limit has passed; when it has ended. */
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
  /** When it is given up unless its COMMIT is on the way, in milliseconds: its connection is closed, and nothing was done. */
  readonly limitMs: number;
};

/** Begins a transaction on `client`, which is given back when it ends. */
export function openTransaction(
  client: PoolClient,
  { begin, mode, limitMs }: TransactionOptions,
): Transaction {
  let failure: Error | undefined;
  // Once it ends it takes no statement: one behind a COMMIT or ROLLBACK would run for nobody, and stay.
  let isOpen = true;
  let isHeld = true;
  const release = (error?: Error | boolean): void => {
    clearTimeout(timer);
    isOpen = false;
    if (isHeld) client.release(error);
    isHeld = false;
  };
  const expired = Promise.withResolvers<never>();
  expired.promise.catch(() => undefined);
  const timer = setTimeout(() => {
    failure = tookTooLong(limitMs);
    expired.reject(failure);
    release(true);
  }, limitMs);
  const sendAhead = (sql: string): void => {
    gatherWrites(client);
    client.query(sql).catch((error: Error) => {
      failure ??= error;
    });
  };
  const send = async <Row extends QueryResultRow>(config: QueryConfig): Promise<QueryResult<Row>> => {
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
    query: async (config) => {
      if (!isOpen) throw failure ?? cameTooLate();
      return send(config);
    },
    commit: async () => {
      if (failure !== undefined) throw failure;
      isOpen = false;
      // Given up from here on, it could be done all the same. That there is an answer, the connection's own limit sees to.
      clearTimeout(timer);
      if (mode === 'read') sendAhead('COMMIT');
      else assertCommitted(await send({ text: 'COMMIT' }));
      release();
    },
    abandon: async (error) => {
      isOpen = false;
      // A connection that does not answer would not answer to a ROLLBACK either; closed, it is one.
      if (!isHeld || isDatabaseUnavailable(error)) return release(true);
      try {
        await client.query('ROLLBACK');
        release(failure);
      } catch {
        release(true);
      }
    },
  };
}

/** What a statement gets whose transaction has ended. */
export function cameTooLate(): Error {
  return new Error('A statement came after the end of its transaction.');
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
