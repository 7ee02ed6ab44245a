/** A log line for people: `12:30:01.123 INFO  message key=value`, and an error's stack below it. */

import { styleText } from 'node:util';

// Colours appear on a terminal only, and not where NO_COLOR asks for none.
const COLOURS = { debug: 'dim', info: 'cyan', warn: 'yellow', error: 'red' } as const;

/** Turns a JSON line into a readable one. What is no JSON object is passed on as it is. */
export function prettyLine(line: string): string {
  const parsed = parse(line);
  if (parsed === undefined) return line;
  const { time, level, message, error, ...fields } = parsed;
  const clock = String(time).slice(11, 23);
  const pairs = Object.entries(fields).map(
    ([name, value]) => ` ${styleText('dim', `${name}=`)}${show(value)}`,
  );
  return `${clock} ${label(String(level))} ${clean(String(message))}${pairs.join('')}\n${showError(error)}`;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function label(level: string): string {
  const colour = Object.entries(COLOURS).find(([name]) => name === level)?.[1] ?? 'reset';
  return styleText(colour, level.toUpperCase().padEnd(5));
}

function show(value: unknown): string {
  return typeof value === 'string' && /^[\w\-./:@]+$/.test(value) ? value : clean(JSON.stringify(value));
}

/** The stacks of an error and of its causes, indented; another value as it is. */
function showError(error: unknown): string {
  if (error === undefined) return '';
  if (typeof error !== 'object' || error === null) return `    ${show(error)}\n`;
  const stack: unknown = Reflect.get(error, 'stack') ?? Reflect.get(error, 'message');
  const cause: unknown = Reflect.get(error, 'cause');
  const lines = clean(String(stack)).replaceAll(/^/gm, '    ');
  return `${lines}\n${cause === undefined ? '' : `  caused by\n${showError(cause)}`}`;
}

/** Without control characters, which could move a terminal's cursor; line breaks and tabs stay. */
function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
}
