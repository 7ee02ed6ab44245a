/** Statements that change a bounded number of rows, run until nothing is left for them. */
import type { QueryConfig } from 'pg';
import type { Queryable } from './pool.ts';

// A bound on one run; the next one goes on where it ended.
const MAX_BATCHES = 200;

/**
 * Runs a statement that changes up to `rows` rows, each time in a transaction of its own, as long as it finds that many;
 * answers how many rows that were. Many short locks instead of a long one.
 */
export async function inBatches(db: Queryable, statement: QueryConfig, rows: number): Promise<number> {
  let changed = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const { rowCount } = await db.query(statement);
    changed += rowCount ?? 0;
    if ((rowCount ?? 0) < rows) break;
  }
  return changed;
}
