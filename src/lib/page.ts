/** Keyset pages over ids (UUIDv7), newest first: a page is found by the id it starts from, even if that row is gone. */

/** At most `limit` rows that lie after (older than) or before (newer than) an id. At most one of both is given. */
export type PageRequest = {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
};

/** Newest first. `hasMore`: beyond the last item (or, for `before`, above the first one) there are others. */
export type Page<T> = { readonly items: readonly T[]; readonly hasMore: boolean };

type IdRange = { readonly lt?: string; readonly gt?: string };

/** What to ask the database for: one row more than the page, so that it is known whether there are others. */
export function pageQuery({ limit, after, before }: PageRequest): {
  readonly id: IdRange;
  readonly take: number;
  readonly order: 'asc' | 'desc';
} {
  return {
    id: { ...(after === undefined ? {} : { lt: after }), ...(before === undefined ? {} : { gt: before }) },
    take: limit + 1,
    order: before === undefined ? 'desc' : 'asc',
  };
}

/** Makes the page of the rows that `pageQuery` asked for. */
export function toPage<T>(rows: readonly T[], { limit, before }: PageRequest): Page<T> {
  const kept = rows.slice(0, limit);
  return { items: before === undefined ? kept : kept.toReversed(), hasMore: rows.length > limit };
}

/** As far as lists are counted: a number of millions is not worth what it costs. */
export const MAX_COUNT = 10_000;

/** How many there are: exactly, or (`isExact` false) at least so many. */
export type Count = { readonly value: number; readonly isExact: boolean };

/** Makes the count of what was counted up to one more than MAX_COUNT. */
export function toCount(counted: number): Count {
  return { value: Math.min(counted, MAX_COUNT), isExact: counted <= MAX_COUNT };
}
