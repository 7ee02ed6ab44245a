/**
 * SQL by hand inside a Prisma transaction, on its connection, without the way through Prisma's query engine: for the
 * lists that many look at, where that way costs more than the database does (docs/adr/0049).
 */
import type { PoolClient } from 'pg';
import type { Prisma } from '../../generated/prisma/client.ts';
import type { StatementNames } from './statement-names.ts';

/**
 * Runs one statement and answers its rows as the driver reads them: times as Date, bigint and numeric as text, bytes as
 * Buffer. The names of the columns are those of the statement.
 */
export type DirectRows = <Row extends object>(sql: Prisma.Sql) => Promise<Row[]>;

/** The transaction with `rows` on it. `client` is the connection that it runs on. */
export function withDirectRows<T extends object>(
  tx: T,
  client: PoolClient,
  nameOf: StatementNames,
): T & { readonly rows: DirectRows } {
  const rows: DirectRows = async <Row extends object>({ text, values }: Prisma.Sql) => {
    const result = await client.query<Row>({ name: nameOf(text), text, values });
    return result.rows;
  };
  // A transaction of Prisma is a proxy itself, and does not take further properties.
  return new Proxy(tx, {
    get: (target, name) => (name === 'rows' ? rows : Reflect.get(target, name)),
  }) as T & { readonly rows: DirectRows }; // The line above adds it.
}
