/** The parameters that several routes share: page size, cursor, times, ids, and what can be said in a query. */
import { z } from '@hono/zod-openapi';
import { findEventType } from '../events/event-type.ts';
import type { Page } from '../lib/page.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';

export const DEFAULT_LIMIT = 20;
export const MAX_LIMIT = 100;

const LIMIT_MESSAGE = `Expected a whole number from 1 to ${MAX_LIMIT}.`;
/** The ids of examples. On the page at /docs they stand for what it makes to try things out with. */
export const EXAMPLE_IDS = {
  subscription: '019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11',
  delivery: '019ab0c4-7d1f-7b3d-8a52-6c0e4f9d1b22',
  replay: '019ab0c4-7d20-7d61-9c11-0e5a7b3c2d33',
  client: '019ab0c4-7d20-7f4e-9b63-7d1f5a0e2c33',
} as const;
const EXAMPLE_ID = '019ab0c4-7d1e-7000-8000-000000000001';

/** How many items a page has. More than the most is a fault, not silently less. */
const limit = z
  .string()
  .regex(/^(?:[1-9]\d?|100)$/, LIMIT_MESSAGE)
  .transform(Number)
  .optional()
  .openapi({
    type: 'integer',
    minimum: 1,
    maximum: MAX_LIMIT,
    default: DEFAULT_LIMIT,
    description: 'How many items a page has at most.',
    example: DEFAULT_LIMIT,
  });

const cursor = z
  .string()
  .transform((text, context) => {
    const id = decodeCursor(text);
    if (id !== undefined) return id;
    context.addIssue({ code: 'custom', message: 'Expected the next_cursor of an earlier page, unchanged.' });
    return z.NEVER;
  })
  .optional()
  .openapi({
    type: 'string',
    description: 'The `next_cursor` of the page before.',
    example: encodeCursor(EXAMPLE_ID),
  });

/** The query of every list. A cursor works on even when the item it points to is gone. */
export const pageParameters = { limit, cursor } as const;

/** What the features ask for, from what `pageParameters` read. */
export function pageRequest(query: { limit?: number | undefined; cursor?: string | undefined }) {
  return { limit: query.limit ?? DEFAULT_LIMIT, after: query.cursor };
}

/** A page as it is printed; `next_cursor` is null on the last one. */
export function printPage<T extends { readonly id: string }, R>(page: Page<T>, print: (item: T) => R) {
  const last = page.items.at(-1);
  return {
    data: page.items.map(print),
    next_cursor: page.hasMore && last !== undefined ? encodeCursor(last.id) : null,
  };
}

/** The schema of a page of `item`. */
export function pageSchema<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({ description: 'Null on the last page.' }),
  });
}

/** RFC 3339, from 1970 on: the time that an id begins with starts there. */
export const instant = z.iso
  .datetime({
    offset: true,
    abort: true,
    message: 'Expected a time as RFC 3339 writes it, such as 2026-11-23T09:30:00Z.',
  })
  .refine((text) => new Date(text).getTime() >= 0, 'Expected a time after 1970.')
  .transform((text) => new Date(text))
  .openapi({ type: 'string', format: 'date-time', example: '2026-11-23T09:30:00Z' });

export const eventTypeName = z
  .string()
  .refine((name) => findEventType(name) !== undefined, {
    error: ({ input }) => `There is no event type ${JSON.stringify(String(input).slice(0, 200))}.`,
  })
  .openapi({ example: 'quest.completed' });

export const flag = z
  .enum(['true', 'false'], 'Expected true or false.')
  .transform((text) => text === 'true')
  .openapi({ type: 'boolean', example: true });

/**
 * An id that is no UUID does not exist, which is for the feature to say. The same id may come in capitals; of a long
 * text the beginning is enough to be repeated in a refusal.
 */
export const id = z
  .string()
  .transform((text) => text.slice(0, 200).toLowerCase())
  .openapi({ type: 'string', format: 'uuid', example: EXAMPLE_ID });

/** The parameters of a path that ends with an id. */
export function idParameters(example: string) {
  return z.object({ id: id.openapi({ param: { name: 'id', in: 'path' }, example }) });
}

/** May be left out everywhere: it is the token's. */
export const organizationId = id
  .optional()
  .openapi({ description: "The token's own organization, which is the default; another one is 404." });

/** For what creates something: who asks for the same again with the same key is answered the same. */
export const idempotencyHeaders = z.object({
  'Idempotency-Key': z.string().optional().openapi({
    description: 'The same key within 24 hours gets the first answer again, and nothing is done twice.',
    example: 'gradebook-hook-1',
  }),
});

/** Whether it was asked for before. */
export const deduplicated = z
  .boolean()
  .openapi({ description: 'It was done before, under the same idempotency key.', example: false });

/** An answer's id. */
export const shownId = z.uuid().openapi({ example: EXAMPLE_ID });
export const shownTime = z.iso.datetime().openapi({ example: '2026-11-23T09:30:00.000Z' });
