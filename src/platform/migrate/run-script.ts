/**
 * Runs a migration's script together with the note that it was applied, as one transaction: whenever the
 * process is killed, either both are there or neither.
 */
import { DatabaseError, type Pool } from 'pg';
import { SELF_FINISHING } from './history.ts';
import { checksumOf } from './migration-files.ts';

const ROW = 'checksum = $1 AND finished_at IS NULL AND rolled_back_at IS NULL';

/** Runs a script of the schema engine; `onFailure` hears what the database said before the error is thrown on. */
export async function runMigrationScript(
  pool: Pool,
  script: string,
  onFailure: (said: string) => void,
): Promise<void> {
  const checksum = checksumOf(script);
  const table = await begin(pool, checksum);
  if (table === undefined) {
    // Not a migration: the engine's own tables.
    await pool.query(script);
    return;
  }
  try {
    // On a line of its own, for the script may end in a comment.
    await pool.query(`${script}\n;${finishing(table, checksum)}`);
  } catch (error) {
    onFailure(describe(error, script));
    throw error;
  }
}

/** Notes that the row will finish together with its script. Returns the table's full name, for scripts change the search path. */
async function begin(pool: Pool, checksum: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ table: string }>(
    `SELECT format('%I.%I', nspname, relname) AS table FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
     WHERE pg_class.oid = to_regclass('_prisma_migrations')`,
  );
  const table = rows[0]?.table;
  if (table === undefined) {
    return undefined;
  }
  const { rowCount } = await pool.query(`UPDATE ${table} SET logs = $2 WHERE ${ROW}`, [
    checksum,
    SELF_FINISHING,
  ]);
  return rowCount === 1 ? table : undefined;
}

/** A query of several statements takes no parameters; a checksum is hexadecimal. */
function finishing(table: string, checksum: string): string {
  return `UPDATE ${table} SET logs = NULL, finished_at = pg_catalog.now() WHERE ${ROW.replace('$1', `'${checksum}'`)}`;
}

function describe(error: unknown, script: string): string {
  if (!(error instanceof DatabaseError)) {
    return String(error);
  }
  const line =
    error.position === undefined
      ? ''
      : ` at line ${script.slice(0, Number(error.position)).split('\n').length}`;
  const more = [error.detail, error.hint, error.where].filter((text) => text !== undefined);
  return [`${error.message} (${error.code})${line}`, ...more].join('. ');
}
