/** Cursors of the update log: the epoch of the database, a transaction, and the line's number; opaque outside. */
import { validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';

/** A place in the log. Transactions and line numbers are compared in this order. */
export type LogPosition = { readonly transaction: bigint; readonly sequence: bigint };

const FORM = /^1\.([0-9a-f-]{36})\.(\d{1,19})\.(\d{1,19})$/;
// The largest bigint of PostgreSQL: beyond it, a query would fail instead of finding nothing.
const MAX_NUMBER = 2n ** 63n - 1n;

export function encodeCursor(epoch: string, { transaction, sequence }: LogPosition): string {
  return Buffer.from(`1.${epoch}.${transaction}.${sequence}`).toString('base64url');
}

/** Throws VALIDATION for what is no cursor of this server. */
export function decodeCursor(cursor: string): LogPosition & { readonly epoch: string } {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, epoch = '', transaction = '', sequence = ''] = FORM.exec(text) ?? [];
  const position = { transaction: BigInt(transaction), sequence: BigInt(sequence) };
  if (!isUuid(epoch) || position.transaction > MAX_NUMBER || position.sequence > MAX_NUMBER) {
    throw validationError([{ path: ['after'], message: 'Expected a cursor as the stream gave it.' }]);
  }
  return { epoch, ...position };
}

/** Whether `a` lies after `b`. */
export function isAfter(a: LogPosition, b: LogPosition): boolean {
  return a.transaction === b.transaction ? a.sequence > b.sequence : a.transaction > b.transaction;
}
