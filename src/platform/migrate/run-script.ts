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
  if (!(await begin(pool, checksum))) {
    // Not a migration: the engine's own tables.
    await pool.query(script);
    return;
  }
  try {
    // On a line of its own, for the script may end in a comment.
    await pool.query(`${script}\n;${finishing(checksum)}`);
  } catch (error) {
    onFailure(describe(error, script));
    throw error;
  }
}

async function begin(pool: Pool, checksum: string): Promise<boolean> {
  const { rows } = await pool.query<{ exists: boolean }>(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists",
  );
  if (rows[0]?.exists !== true) {
    return false;
  }
  const { rowCount } = await pool.query(`UPDATE _prisma_migrations SET logs = $2 WHERE ${ROW}`, [
    checksum,
    SELF_FINISHING,
  ]);
  return rowCount === 1;
}

/** A query of several statements takes no parameters; a checksum is hexadecimal. */
function finishing(checksum: string): string {
  return `UPDATE _prisma_migrations SET logs = NULL, finished_at = now() WHERE ${ROW.replace('$1', `'${checksum}'`)}`;
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
