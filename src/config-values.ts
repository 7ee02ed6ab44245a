/** How settings are read that are more than a word or a number. */
import { z } from 'zod';

/** A text that a parser of ours understands; what it throws is the fault. */
export function parsedBy<T>(parse: (value: string) => T) {
  return z.string().transform((value, context) => {
    try {
      return parse(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'does not fit' });
      return z.NEVER;
    }
  });
}

/** The URL; undefined for what is none. */
export function parseUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}

/** As OpenTelemetry writes headers in a variable. Throws on what is no pair. */
export function parsePair(pair: string): readonly [name: string, value: string] {
  const [, name, value] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
  if (name === undefined || value === undefined) throw new Error('This is no pair.');
  return [name, decodeURIComponent(value)];
}

/** Whether it is an http or https URL without query, fragment and user. */
export function isOrigin(value: string): boolean {
  const url = parseUrl(value);
  return (
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === ''
  );
}
