/** What `_prisma_migrations`, Prisma's own table, says about the migrations of a database. */
import { type Client, DatabaseError } from 'pg';
import type { Migration } from './migration-files.ts';

/** Stands in `logs` while a script runs that finishes its own row; see `run-script.ts`. */
export const SELF_FINISHING = 'runs in one transaction with this row';

export type HistoryRow = {
  readonly name: string;
  readonly checksum: string;
  readonly isFinished: boolean;
  readonly isRolledBack: boolean;
  readonly isSelfFinishing: boolean;
};

/** The rows in the order in which they were begun; none when the table does not exist. */
export async function readHistory(client: Pick<Client, 'query'>): Promise<readonly HistoryRow[]> {
  try {
    const { rows } = await client.query<HistoryRow>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS "isFinished",
              rolled_back_at IS NOT NULL AS "isRolledBack", logs IS NOT DISTINCT FROM $1 AS "isSelfFinishing"
       FROM _prisma_migrations ORDER BY started_at`,
      [SELF_FINISHING],
    );
    return rows;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === '42P01') {
      return [];
    }
    throw error;
  }
}

/** Whether exactly these migrations were applied, unchanged, and nothing else was begun. */
export function isUpToDate(history: readonly HistoryRow[], migrations: readonly Migration[]): boolean {
  const applied = history.filter((row) => !row.isRolledBack);
  const checksums = new Map(migrations.map(({ name, checksum }) => [name, checksum]));
  return (
    applied.length === migrations.length &&
    applied.every((row) => row.isFinished && checksums.get(row.name) === row.checksum)
  );
}

/** Migrations that were begun by a process that was killed, and of which nothing was left. */
export function interrupted(history: readonly HistoryRow[]): readonly string[] {
  return history
    .filter((row) => !row.isFinished && !row.isRolledBack && row.isSelfFinishing)
    .map((row) => row.name);
}
