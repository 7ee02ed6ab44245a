/** What a change has changed. */
import { isDeepStrictEqual } from 'node:util';
import type { AuditChanges } from './entry.ts';

/** The fields whose values are not the same before and after; both have to be fit to be shown. */
export function difference(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): AuditChanges {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return Object.fromEntries(
    fields
      .filter((field) => !isDeepStrictEqual(before[field], after[field]))
      .map((field) => [field, { from: before[field] ?? null, to: after[field] ?? null }]),
  );
}

/** What something new begins with, as changes from nothing; what is null is left out. */
export function beginning(after: Readonly<Record<string, unknown>>): AuditChanges {
  return difference({}, Object.fromEntries(Object.entries(after).filter(([, value]) => value !== null)));
}
