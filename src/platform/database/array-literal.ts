/** Arrays as PostgreSQL reads them, made without looking at every character, as the driver does. */

/** What needs no quotes: numbers, times, ids, words of our own. */
export type Plain = string | number | Date | null;

/** An array of such values. */
export function toArrayLiteral(values: readonly Plain[]): string {
  return `{${values.map((value) => (value instanceof Date ? value.toISOString() : (value ?? 'NULL'))).join(',')}}`;
}
