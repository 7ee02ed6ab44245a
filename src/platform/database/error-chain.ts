/** An error and what it was made of: Prisma keeps what the driver said in `meta.driverAdapterError`, others in `cause`. */

/** The fields that tell of a database's error. Any of them may be missing, and of any type. */
export type ErrorFields = Readonly<
  Partial<
    Record<'code' | 'kind' | 'originalCode' | 'message' | 'cause' | 'meta' | 'driverAdapterError', unknown>
  >
>;

const MAX_DEPTH = 4;

/** The error and all errors in it, outermost first; empty for what is not an object. */
export function errorChain(error: unknown, depth = 0): readonly ErrorFields[] {
  if (typeof error !== 'object' || error === null || depth > MAX_DEPTH) return [];
  const fields: ErrorFields = error;
  const inner = [fields.cause, fields.meta, fields.driverAdapterError];
  return [fields, ...inner.flatMap((part) => errorChain(part, depth + 1))];
}
