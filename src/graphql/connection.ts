/**
 * Connections (Relay cursor connections): pages by keyset over ids, newest first. A cursor holds the id it stands
 * for and nothing else, so it leads on when its row is gone.
 */
import { validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import type { Count, Page, PageRequest } from '../lib/page.ts';
import type { ArgumentBuilder } from './builder.ts';

export const DEFAULT_SIZE = 20;
export const MAX_SIZE = 100;

export type PageArguments = {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
};

export type PageInfo = {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
};

export type Connection<T> = {
  readonly edges: { readonly cursor: string; readonly node: T }[];
  readonly pageInfo: PageInfo;
  /** Counts only when it is asked. */
  readonly totalCount: () => Promise<Count>;
};

/** The arguments of every connection. */
export function pageArguments(arg: ArgumentBuilder) {
  return {
    first: arg.int({ description: 'How many, from the newest on: 0 to 100; 20 if nothing is said.' }),
    after: arg({
      type: 'Cursor',
      description: 'Only what comes after (is older than) this cursor. With `first`.',
    }),
    last: arg.int({ description: 'How many, up to the oldest: 0 to 100.' }),
    before: arg({
      type: 'Cursor',
      description: 'Only what comes before (is newer than) this cursor. With `last`.',
    }),
  };
}

/** Reads the page that is asked for. Throws `VALIDATION` for a size over 100, a foreign cursor, or a mixture of directions. */
export function parsePage({ first, after, last, before }: PageArguments): PageRequest {
  const forward = first ?? after ?? undefined;
  const backward = last ?? before ?? undefined;
  if (forward !== undefined && backward !== undefined) {
    throw fault(
      'last',
      'Page forward with `first` and `after`, or backward with `last` and `before`, not both.',
    );
  }
  if (backward === undefined) {
    return { limit: parseSize('first', first), after: given(after, (text) => parseCursor('after', text)) };
  }
  // Without a cursor the last page is meant: everything is newer than the lowest id.
  const from = given(before, (text) => parseCursor('before', text)) ?? LOWEST_ID;
  return { limit: parseSize('last', last), before: from };
}

/** How many are asked for; throws `VALIDATION` for less than 0 or more than 100. */
export function parseSize(name: string, size: number | null | undefined, whenLeftOut = DEFAULT_SIZE): number {
  const wanted = size ?? whenLeftOut;
  if (isSize(wanted)) return wanted;
  throw fault(name, `Expected 0 to ${MAX_SIZE}, not ${wanted}.`);
}

/** Whether so many may be asked for. */
export function isSize(wanted: number): boolean {
  return wanted >= 0 && wanted <= MAX_SIZE;
}

/** Makes the connection of a page; `idOf` is the id that the list is sorted by. */
export function toConnection<T>(
  { items, hasMore }: Page<T>,
  { after, before }: PageRequest,
  idOf: (item: T) => string,
  totalCount: () => Promise<Count>,
): Connection<T> {
  const cursorOf = (item: T | undefined) => (item === undefined ? null : toCursor(idOf(item)));
  return {
    // Most ask for the nodes alone: a cursor is made when it is asked for.
    edges: items.map((node) => ({
      get cursor() {
        return toCursor(idOf(node));
      },
      node,
    })),
    pageInfo: {
      hasNextPage: before === undefined ? hasMore : before !== LOWEST_ID,
      hasPreviousPage: before === undefined ? after !== undefined : hasMore,
      startCursor: cursorOf(items.at(0)),
      endCursor: cursorOf(items.at(-1)),
    },
    totalCount,
  };
}

const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/** The 16 bytes of the id. */
export function toCursor(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');
}

function parseCursor(name: string, text: string): string {
  const hex = Buffer.from(text, 'base64url').toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  if (!isUuid(id) || toCursor(id) !== text) throw fault(name, 'Expected a cursor of this list.');
  return id;
}

function fault(name: string, message: string) {
  return validationError([{ path: [name], message }]);
}

function given<T, R>(value: T | null | undefined, parse: (value: T) => R): R | undefined {
  return value === null || value === undefined ? undefined : parse(value);
}
