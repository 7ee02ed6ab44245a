/** Texts that meet the database. */

/**
 * The text to look for among stored ones. PostgreSQL stores every character but NUL, and fails a statement that brings
 * one: such a text becomes one that nothing is stored under.
 */
export function searchable(text: string): string {
  return text.includes('\0') ? '' : text;
}
