/** The scalars beside GraphQL's own. */
import { GraphQLError } from 'graphql';
import { z } from 'zod';
import type { Builder } from '../builder.ts';

// RFC 3339 5.6, with the letters in upper case; only days that there are.
const DATE_TIME = z.iso.datetime({ offset: true });
const MAX_CURSOR_LENGTH = 200;

/** Registers the scalars. */
export function addScalars(builder: Builder): void {
  builder.scalarType('DateTime', {
    description: 'An instant (RFC 3339), such as 2026-11-23T09:30:00.000Z; in answers always in UTC.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
    serialize: (value) => value.toISOString(),
    parseValue: parseDateTime,
  });
  builder.scalarType('Cursor', {
    description: 'A place in a list or in a stream. Opaque: take it from an answer.',
    serialize: (value) => value,
    parseValue: (value) => {
      if (typeof value === 'string' && value.length <= MAX_CURSOR_LENGTH) return value;
      throw badInput('Expected a cursor from an answer.');
    },
  });
  builder.scalarType('JSON', {
    description: 'Any JSON value.',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
    serialize: (value) => value,
    parseValue: (value) => value,
  });
  builder.scalarType('URL', {
    description: 'An absolute URL (RFC 3986).',
    specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3986',
    serialize: (value) => value,
    parseValue: (value) => {
      if (typeof value === 'string') return value;
      throw badInput('Expected a URL, such as https://lms.example.com/webhooks.');
    },
  });
}

function parseDateTime(value: unknown): Date {
  const time = DATE_TIME.safeParse(value).success ? new Date(String(value)) : undefined;
  if (time !== undefined && !Number.isNaN(time.getTime())) return time;
  throw badInput('Expected an instant such as 2026-11-23T09:30:00Z.');
}

function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}
