/** Tells the errors of a transaction that lost against another one, and would very likely succeed if it was run again. */
import { errorChain } from './error-chain.ts';

// serialization_failure, deadlock_detected.
const SQL_STATES: readonly unknown[] = ['40001', '40P01'];

/** Whether PostgreSQL ended the transaction for the sake of another: nothing of it was done. */
export function isTransactionConflict(error: unknown): boolean {
  return errorChain(error).some(
    ({ code, originalCode, kind }) =>
      SQL_STATES.includes(code) ||
      SQL_STATES.includes(originalCode) ||
      code === 'P2034' ||
      kind === 'TransactionWriteConflict',
  );
}
