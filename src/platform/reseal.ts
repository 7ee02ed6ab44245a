/**
 * Seals anew, under the newest master key, what lies sealed under an older one, so that the older one can be taken out of
 * MASTER_KEY. Piece by piece, each in a statement of its own: whoever stops it loses nothing and begins again where it
 * ended. What is changed by others meanwhile is left to them.
 */
import type { Pool } from 'pg';
import { type MasterKeys, seal, sealPrefix, unseal } from '../lib/crypto.ts';

/** A column of sealed values. Its feature knows what each is bound to. */
export type SealedColumn = {
  readonly table: string;
  readonly column: string;
  /** The primary key: names of columns, with their types. */
  readonly key: Readonly<Record<string, 'uuid' | 'text'>>;
  /** What else of the row `context` is made of. */
  readonly bound?: readonly string[];
  /** What a value was sealed with, from the columns of its row. */
  readonly context: (row: Readonly<Record<string, string>>) => string;
};

const BATCH_ROWS = 500;

type Row = Readonly<Record<string, string>> & { readonly sealed_value: Buffer };

/** Seals a column anew; answers how many values that were. Throws when one was sealed under none of the keys. */
export async function reseal(pool: Pool, keys: MasterKeys, column: SealedColumn): Promise<number> {
  const names = Object.keys(column.key);
  let after: readonly string[] | undefined;
  let count = 0;
  for (;;) {
    const rows = await readBatch(pool, keys, column, after);
    const last = rows.at(-1);
    if (last === undefined) return count;
    count += await writeBatch(
      pool,
      column,
      rows,
      rows.map((row) => sealAnew(keys, column, row)),
    );
    after = names.map((name) => last[name] ?? '');
  }
}

/** In the order of the primary key, from where the piece before ended: each row is looked at once. */
async function readBatch(
  pool: Pool,
  keys: MasterKeys,
  { table, column, key, bound = [] }: SealedColumn,
  after: readonly string[] | undefined,
): Promise<readonly Row[]> {
  const names = Object.keys(key);
  const place = Object.values(key).map((type, index) => `$${index + 2}::${type}`);
  const { rows } = await pool.query<Row>(
    `SELECT ${[...names, ...bound].map((name) => `${name}::text`).join(', ')}, ${column} AS sealed_value
     FROM ${table}
     WHERE ${column} IS NOT NULL AND substring(${column} FROM 1 FOR 4) <> $1
       ${after === undefined ? '' : `AND (${names.join(', ')}) > (${place.join(', ')})`}
     ORDER BY ${names.map((name) => `${table}.${name}`).join(', ')} LIMIT ${BATCH_ROWS}`,
    [sealPrefix(keys[0]), ...(after ?? [])],
  );
  return rows;
}

function sealAnew(keys: MasterKeys, { table, column, context }: SealedColumn, row: Row): Buffer {
  const bound = context(row);
  try {
    return seal(keys, unseal(keys, row.sealed_value, bound), bound);
  } catch (cause) {
    throw new Error(`A value in ${table}.${column} cannot be opened, so it cannot be sealed anew.`, {
      cause,
    });
  }
}

async function writeBatch(
  pool: Pool,
  { table, column, key }: SealedColumn,
  rows: readonly Row[],
  sealed: readonly Buffer[],
): Promise<number> {
  const types = Object.entries(key);
  const lists = types.map(([, type], index) => `$${index + 3}::${type}[]`);
  const names = types.map(([name]) => name);
  const { rowCount } = await pool.query(
    `UPDATE ${table} t SET ${column} = n.new_value
     FROM unnest($1::bytea[], $2::bytea[], ${lists.join(', ')}) AS n (old_value, new_value, ${names.join(', ')})
     WHERE ${names.map((name) => `t.${name} = n.${name}`).join(' AND ')} AND t.${column} = n.old_value`,
    [rows.map((row) => row.sealed_value), sealed, ...names.map((name) => rows.map((row) => row[name]))],
  );
  return rowCount ?? 0;
}
