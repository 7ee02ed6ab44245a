/** One statement at a time on a pool, for features whose callers are to hear that the database is away. */
import type { Pool, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { translateDatabaseError } from './unavailable.ts';

/** Runs one statement. Errors: `UNAVAILABLE` when the database is away. */
export type Run = <R extends QueryResultRow>(statement: QueryConfig) => Promise<QueryResult<R>>;

export function runOn(pool: Pool): Run {
  return async <R extends QueryResultRow>(statement: QueryConfig) => {
    try {
      return await pool.query<R>(statement);
    } catch (error) {
      throw translateDatabaseError(error);
    }
  };
}
