/**
 * SQL by hand in a transaction, without the way through Prisma's query engine: for the lists that many look at, where
 * that way costs more than the database does (docs/adr/0049).
 */
import type { StatementNames } from './statement-names.ts';
import type { Transaction } from './transaction.ts';

/** Such as `Prisma.sql` makes them. */
export type Statement = { readonly text: string; readonly values: readonly unknown[] };

/**
 * Runs one statement and answers its rows as the driver reads them: times as Date, bigint and numeric as text, bytes as
 * Buffer. The names of the columns are those of the statement.
 */
export type DirectRows = <Row extends object>(statement: Statement) => Promise<Row[]>;

/** What runs statements in `transaction`, each under its name. */
export function directRows(transaction: Transaction, nameOf: StatementNames): DirectRows {
  return async <Row extends object>({ text, values }: Statement) => {
    const { rows } = await transaction.query<Row>({ name: nameOf(text), text, values: [...values] });
    return rows;
  };
}
