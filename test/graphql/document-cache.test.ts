import { describe, expect, test } from 'vitest';
import { createDocumentCache } from '../../src/graphql/document-cache.ts';

describe('The cache of documents', () => {
  test('remembers what it was given', () => {
    const cache = createDocumentCache<number>();
    cache.set('{ a }', 1);
    expect(cache.get('{ a }')).toBe(1);
    expect(cache.get('{ b }')).toBeUndefined();
  });

  test('is bounded, however many documents come and however long they are', () => {
    const cache = createDocumentCache<number>();
    for (let index = 0; index < 1_000; index += 1) cache.set(`{ a${index} }`, index);
    const kept = Array.from({ length: 1_000 }, (_, index) => cache.get(`{ a${index} }`));
    expect(kept.filter((value) => value !== undefined)).toEqual(
      Array.from({ length: 200 }, (_, index) => 800 + index),
    );
    const long = `{ a } # ${'x'.repeat(4_000)}`;
    cache.set(long, 1);
    expect(cache.get(long)).toBeUndefined();
  });
});
