/** Texts that people write, checked: they are stored, shown to others and sent to receivers. */
import type { Fault } from '../lib/errors.ts';

// Line breaks, and what makes text run the other way or vanish.
const NOT_OF_A_LINE = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
// Control characters but tab and line feed; PostgreSQL does not even store the first of them.
const NOT_OF_A_TEXT = /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

type Path = Fault['path'];

/** What is wrong with one line of 1 to `max` characters. */
export function lineFaults(path: Path, value: string, max: number): readonly Fault[] {
  const text = value.trim();
  const length = Array.from(text).length;
  if (length === 0 || length > max) return [{ path, message: `Expected 1 to ${max} characters.` }];
  return NOT_OF_A_LINE.test(text) ? [{ path, message: 'Expected one line of visible characters.' }] : [];
}

/** What is wrong with a text of at most `max` characters, which may have several lines. */
export function textFaults(path: Path, value: string, max: number): readonly Fault[] {
  if (Array.from(value).length > max) return [{ path, message: `Expected at most ${max} characters.` }];
  return NOT_OF_A_TEXT.test(value) ? [{ path, message: 'Expected no control characters.' }] : [];
}

/** What is wrong with a whole number of that range, both bounds included. */
export function rangeFaults(
  path: Path,
  value: number,
  [low, high]: readonly [number, number],
): readonly Fault[] {
  if (Number.isInteger(value) && value >= low && value <= high) return [];
  return [{ path, message: `Expected a whole number from ${low} to ${high}, not ${value}.` }];
}

/** Line ends as they are stored. */
export function normalLines(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').trim();
}
