import { describe, expect, it } from 'vitest';
import { MAX_COUNT, type PageRequest, pageQuery, toCount, toPage } from '../../src/lib/page.ts';

/** A table of ids 1 to 9, asked as a page asks. */
function list(request: PageRequest) {
  const { id, take, order } = pageQuery(request);
  const ids = ['1', '2', '3', '4', '5', '6', '7', '8', '9']
    .filter((one) => (id.lt === undefined || one < id.lt) && (id.gt === undefined || one > id.gt))
    .toSorted((a, b) => (order === 'asc' ? a.localeCompare(b) : b.localeCompare(a)));
  return toPage(ids.slice(0, take), request);
}

describe('a page by keyset', () => {
  it('begins with the newest, and says whether there are more', () => {
    expect(list({ limit: 3 })).toEqual({ items: ['9', '8', '7'], hasMore: true });
    expect(list({ limit: 9 })).toEqual({
      items: ['9', '8', '7', '6', '5', '4', '3', '2', '1'],
      hasMore: false,
    });
  });

  it('goes on after an id, though its row is gone', () => {
    expect(list({ limit: 3, after: '7' })).toEqual({ items: ['6', '5', '4'], hasMore: true });
    expect(list({ limit: 3, after: '65' })).toEqual({ items: ['6', '5', '4'], hasMore: true });
    expect(list({ limit: 3, after: '3' })).toEqual({ items: ['2', '1'], hasMore: false });
    expect(list({ limit: 3, after: '1' })).toEqual({ items: [], hasMore: false });
  });

  it('goes back before an id, the nearest ones, newest first all the same', () => {
    expect(list({ limit: 3, before: '4' })).toEqual({ items: ['7', '6', '5'], hasMore: true });
    expect(list({ limit: 3, before: '7' })).toEqual({ items: ['9', '8'], hasMore: false });
  });

  it('walks through all of them both ways, each once', () => {
    const down: string[] = [];
    for (
      let page = list({ limit: 2 });
      page.items.length > 0;
      page = list({ limit: 2, after: page.items.at(-1) })
    ) {
      down.push(...page.items);
    }
    expect(down).toEqual(['9', '8', '7', '6', '5', '4', '3', '2', '1']);
    const up: string[] = [];
    for (
      let page = list({ limit: 2, before: '0' });
      page.items.length > 0;
      page = list({ limit: 2, before: page.items[0] })
    ) {
      up.unshift(...page.items);
    }
    expect(up).toEqual(down);
  });

  it('of none asks for one row, to know whether there are any', () => {
    expect(list({ limit: 0 })).toEqual({ items: [], hasMore: true });
  });
});

describe('a count', () => {
  it('is exact up to ten thousand, and no more than that beyond', () => {
    expect(toCount(0)).toEqual({ value: 0, isExact: true });
    expect(toCount(MAX_COUNT)).toEqual({ value: 10_000, isExact: true });
    expect(toCount(MAX_COUNT + 1)).toEqual({ value: 10_000, isExact: false });
  });
});
