/** Cursors of the update log: the epoch of the database, a transaction, and the line's number; opaque outside. */
import { validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';

/** A place in the log. Transactions and line numbers are compared in this order. */
export type LogPosition = { readonly transaction: bigint; readonly sequence: bigint };

export function encodeCursor(epoch: string, { transaction, sequence }: LogPosition): string {
  return Buffer.from(`1.${epoch}.${transaction}.${sequence}`).toString('base64url');
}

/** Throws VALIDATION for what is no cursor of this server. */
export function decodeCursor(cursor: string): LogPosition & { readonly epoch: string } {
  const [version, epoch, transaction, sequence] = Buffer.from(cursor, 'base64url').toString().split('.');
  if (
    version !== '1' ||
    epoch === undefined ||
    !isUuid(epoch) ||
    !isNumber(transaction) ||
    !isNumber(sequence)
  ) {
    throw validationError([{ path: ['after'], message: 'Expected a cursor as the stream gave it.' }]);
  }
  return { epoch, transaction: BigInt(transaction), sequence: BigInt(sequence) };
}

/** Whether `a` lies after `b`. */
export function isAfter(a: LogPosition, b: LogPosition): boolean {
  return a.transaction === b.transaction ? a.sequence > b.sequence : a.transaction > b.transaction;
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,19}$/.test(text);
}
