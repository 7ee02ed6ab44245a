/** What a schema finds wrong, in the one form of all doors. */
import type { z } from '@hono/zod-openapi';
import { AppError, type Fault, validationError } from '../lib/errors.ts';

type ValidationResult =
  | { readonly success: true }
  | { readonly success: false; readonly error: { readonly issues: readonly z.core.$ZodIssue[] } };

/** The hook of every route: throws `VALIDATION` with each fault of the body, the query or the headers. */
export function refuseFaults(result: ValidationResult): void {
  if (!result.success) throw validationError(result.error.issues.flatMap(toFaults));
}

/** Runs `work`; the paths of the faults it throws are renamed, where the door says a thing differently. */
export async function withPaths<T>(
  rename: (path: Fault['path']) => Fault['path'],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VALIDATION') throw error;
    throw validationError(error.faults.map(({ path, message }) => ({ path: rename(path), message })));
  }
}

function toFaults(issue: z.core.$ZodIssue): readonly Fault[] {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
  // An unknown field is named, not the object around it: a typo must not pass for something that was set.
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.slice(0, 20).map((key) => ({
    path: [...path, key.slice(0, 100)],
    message: 'There is no such field here.',
  }));
}
