/** One statement at a time on a pool or a connection, for features whose callers are to hear that the database is away. */
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import type { Queryable } from './pool.ts';
import { translateDatabaseError } from './unavailable.ts';

/** Runs one statement. Errors: `UNAVAILABLE` when the database is away. */
export type Run = <R extends QueryResultRow>(statement: QueryConfig) => Promise<QueryResult<R>>;

export function runOn(db: Queryable): Run {
  return async <R extends QueryResultRow>(statement: QueryConfig) => {
    try {
      return await db.query<R>(statement);
    } catch (error) {
      throw translateDatabaseError(error);
    }
  };
}
