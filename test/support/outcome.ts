/** Statements whose refusal is what a test asks about. */
import { query } from './database.ts';

/** How many rows a statement met, or the SQLSTATE it was refused with. */
export type Outcome = { readonly code: string | undefined; readonly count: number };

/** Runs one statement as the login of the URL. */
export async function run(url: string, sql: string, values: readonly unknown[] = []): Promise<Outcome> {
  try {
    return { code: undefined, count: (await query(url, sql, values)).length };
  } catch (error) {
    return { code: (error as { code?: string }).code, count: 0 }; // An error of PostgreSQL has its SQLSTATE.
  }
}
