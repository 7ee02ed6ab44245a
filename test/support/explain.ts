/** What statements cost: how many rows they read of a table, and by which indexes. */
import type { Pool } from 'pg';

type PlanNode = {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
};
export type Explained = { readonly 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] };

export type Cost = {
  /** Of the table and its partitions, those that a filter dropped included. */
  readonly rowsRead: number;
  /** The index of each scan that ran; the kind of scan where there is none. */
  readonly indexes: readonly string[];
};

/**
 * Runs `work` with a pool that explains each statement (and answers no rows), and sums up what they read of `table`. Each is
 * prepared, as it is outside of tests, so that the settings of the pool's connections decide how it is planned.
 */
export async function costOf(
  pool: Pool,
  table: string,
  work: (explaining: Pool) => Promise<unknown>,
): Promise<Cost> {
  const explained: Explained[] = [];
  const query = async ({ text, values = [] }: { readonly text: string; readonly values?: unknown[] }) => {
    explained.push(...(await explain(pool, text, values)));
    return { rows: [] };
  };
  const explaining: Pool = Object.create(pool, { query: { value: query } });
  await work(explaining);
  return costIn(explained, table);
}

/** What the plans read of `table`, as EXPLAIN (ANALYZE, FORMAT JSON) answered them. */
export function costIn(explained: readonly Explained[], table: string): Cost {
  const nodes = explained.flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => flatten(Plan)));
  const scans = nodes.filter((node) => node['Relation Name']?.startsWith(table) && node['Actual Loops'] > 0);
  if (scans.length === 0) throw new Error(`Nothing read ${table}.`);
  return {
    rowsRead: Math.round(scans.reduce((sum, node) => sum + rowsOf(node), 0)),
    indexes: scans.map((node) => node['Index Name'] ?? node['Node Type']),
  };
}

async function explain(pool: Pool, text: string, values: readonly unknown[]): Promise<readonly Explained[]> {
  const client = await pool.connect();
  try {
    await client.query(`PREPARE explained AS ${text}`);
    const { rows } = await client.query<Explained>(
      `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained${values.length > 0 ? `(${toLiterals(values)})` : ''}`,
    );
    return rows;
  } finally {
    await client.query('DEALLOCATE explained');
    client.release();
  }
}

/** The values of a statement, for EXECUTE. */
export function toLiterals(values: readonly unknown[]): string {
  return values.map(toLiteral).join(', ');
}

function toLiteral(value: unknown): string {
  if (Array.isArray(value)) return `'{${value.map(toText).join(',')}}'`;
  return `'${toText(value)}'`;
}

function toText(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

/** The counts of a node are averages over its loops. */
function rowsOf(node: PlanNode): number {
  return (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
}

function flatten(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}
