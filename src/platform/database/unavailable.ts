/** Tells the errors of a database that is away from the errors of a query. */
import { AppError } from '../../lib/errors.ts';
import { errorChain } from './error-chain.ts';

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);
// Class 08 (connection exception), 57P0x (shutting down, crashed, starting up), 53300 (too many connections),
// 55P03 (a lock was waited for too long).
const SQL_STATES = /^(08...|57P0[1-3]|53300|55P03)$/;
// Can't reach, timed out, closed, no connection from the pool, no transaction in time.
const PRISMA_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028']);
const ADAPTER_KINDS = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
]);
// The last one: this process is stopping, and its pools are closed.
const PG_MESSAGES =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|connection error and is not queryable|Client was closed|after calling end on the pool/;

/** Whether the error says that the database could not be reached or dropped the connection. */
export function isDatabaseUnavailable(error: unknown): boolean {
  return errorChain(error).some(
    ({ code, originalCode, kind, message }) =>
      [code, originalCode].some(isUnavailableCode) ||
      (typeof kind === 'string' && ADAPTER_KINDS.has(kind)) ||
      (typeof message === 'string' && PG_MESSAGES.test(message)),
  );
}

function isUnavailableCode(code: unknown): boolean {
  return (
    typeof code === 'string' && (SOCKET_CODES.has(code) || SQL_STATES.test(code) || PRISMA_CODES.has(code))
  );
}

/** The error as the caller may see it: `UNAVAILABLE` when the database is away, else unchanged. */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isDatabaseUnavailable(error)) return error;
  return new AppError('UNAVAILABLE', 'The database cannot be reached at the moment; try again shortly.', {
    cause: error,
    retryAfterSeconds: 1,
  });
}
