import { describe, expect, it } from 'vitest';
import { turnableClock } from '../../../src/lib/clock.ts';
import { sampled } from '../../../src/platform/metrics/sampled.ts';

function setUp(read: (count: number) => Promise<number>, timeoutMs = 60_000) {
  const clock = turnableClock(new Date('2026-11-23T09:30:00Z'));
  const errors: Error[] = [];
  let reads = 0;
  const ask = sampled(() => read(++reads), {
    clock,
    maxAgeMs: 5_000,
    timeoutMs,
    onError: (error) => errors.push(error),
  });
  return { clock, errors, ask, reads: () => reads };
}

describe('A sampled reading', () => {
  it('is shared by all who ask within its age, and taken anew after it', async () => {
    const { clock, ask, reads } = setUp(async (count) => count);
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    clock.advance(4_999);
    expect(await ask()).toBe(1);
    clock.advance(1);
    expect(await ask()).toBe(2);
    expect(reads()).toBe(2);
  });

  it('is taken anew when the clock was set back', async () => {
    const { clock, ask } = setUp(async (count) => count);
    await ask();
    clock.advance(-60_000);
    expect(await ask()).toBe(2);
  });

  it('is missing when it fails, which is reported, and comes back', async () => {
    const { clock, errors, ask } = setUp(async (count) => {
      if (count === 1) throw new Error('The database is away.');
      return count;
    });
    expect(await ask()).toBeUndefined();
    expect(errors.map(({ message }) => message)).toEqual(['The database is away.']);
    clock.advance(5_000);
    expect(await ask()).toBe(2);
  });

  it('is missing when it takes too long, and is not started a second time beside it', async () => {
    const hanging = Promise.withResolvers<number>();
    const { clock, ask, reads } = setUp(() => hanging.promise, 10);
    expect(await ask()).toBeUndefined();
    clock.advance(5_000);
    expect(await ask()).toBeUndefined();
    expect(reads()).toBe(1);
    hanging.resolve(7);
    await hanging.promise;
    clock.advance(5_000);
    expect(await ask()).toBe(7);
  });
});
