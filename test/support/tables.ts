/** The tables of a database as its catalogue tells of them, and a row that fits each. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { newId } from '../../src/lib/ids.ts';
import { query } from './database.ts';

export type Column = {
  readonly name: string;
  readonly type: string;
  /** The first of an enum's labels. */
  readonly label: string | null;
  /** Has to be given: there is neither a default nor NULL. */
  readonly required: boolean;
};
export type ForeignKey = {
  readonly columns: readonly string[];
  readonly parent: string;
  readonly parentColumns: readonly string[];
};
export type Table = {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly primaryKey: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
};
export type Row = Readonly<Record<string, unknown>>;

/** What checks ask for beyond types. A new table with a check of its own may need a line here. */
const FITTING: Readonly<Record<string, Row>> = {
  deliveries: { status: 'HELD' },
  installation: { id: 1 },
  // Of no person.
  mutation_idempotency_keys: { user_id: '00000000-0000-0000-0000-000000000000' },
  partitioning: { table_name: 'events' },
  submissions: { text: 'My work' },
};

const READ_TABLES = `
  SELECT c.relname AS name,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', t.typname,
        'label', (SELECT enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY enumsortorder LIMIT 1),
        'required', a.attnotnull AND NOT a.atthasdef AND a.attidentity = '') ORDER BY a.attnum)
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT json_agg(a.attname ORDER BY k.place)
      FROM pg_constraint p, unnest(p.conkey) WITH ORDINALITY AS k (number, place), pg_attribute a
      WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attrelid = c.oid AND a.attnum = k.number) AS "primaryKey",
    coalesce((SELECT json_agg(json_build_object('parent', f.confrelid::regclass::text,
        'columns', (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
        'parentColumns', (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number)))
      FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'), '[]') AS "foreignKeys"
  FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> '_prisma_migrations'
  ORDER BY 1`;

/** All tables of the schema public but the history of migrations, partitions left out. */
export async function readTables(ownerUrl: string): Promise<readonly Table[]> {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  const { rows } = await client.query<Table>(READ_TABLES);
  await client.end();
  return rows;
}

type Seed = { readonly organizationId: string; readonly rows: Map<string, Row> };

/** Adds a row of the organization to the table, and to those it refers to; `rows` holds what is there already. */
export async function seedRow(
  ownerUrl: string,
  tables: readonly Table[],
  { table, ...seed }: Seed & { readonly table: Table },
): Promise<void> {
  if (seed.rows.has(table.name)) return;
  for (const { parent } of table.foreignKeys) {
    const parentTable = tables.find(({ name }) => name === parent);
    if (parentTable !== undefined) await seedRow(ownerUrl, tables, { table: parentTable, ...seed });
  }
  const values = valuesFor(table, seed);
  const names = Object.keys(values);
  const [row] = await query(
    ownerUrl,
    `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})
     ON CONFLICT DO NOTHING RETURNING *`,
    Object.values(values),
  );
  seed.rows.set(table.name, { ...values, ...row });
}

/** Values for a new row of the organization: what has to be given, and what refers to its other rows. */
export function valuesFor(table: Table, { organizationId, rows }: Seed): Row {
  const required = table.columns.filter((column) => column.required);
  const values = required.map((column) => [column.name, valueOf(table, column, organizationId)]);
  const references = table.foreignKeys.flatMap(({ columns, parent, parentColumns }) =>
    columns.map((column, index) => [column, rows.get(parent)?.[parentColumns[index] ?? '']]),
  );
  return { ...Object.fromEntries([...values, ...references]), ...FITTING[table.name] };
}

function valueOf(table: Table, { name, type, label }: Column, organizationId: string): unknown {
  if (name === 'organization_id' || (table.name === 'organizations' && name === 'id')) return organizationId;
  if (label !== null) return label;
  if (type === 'uuid') return newId();
  if (type === 'timestamptz' || type === 'date') return new Date();
  if (type === 'bool') return false;
  if (type === 'bytea') return randomBytes(8);
  if (type === 'json' || type === 'jsonb') return '{}';
  if (type.startsWith('_')) return '{}';
  return /^(int|float|numeric|xid)/.test(type) ? 1 : randomBytes(8).toString('hex');
}
