import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRateLimiter, networkOf, rateLimitHeaders } from '../../src/platform/rate-limit.ts';

// The limiter goes by the clock of the machine.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a rate limiter', () => {
  const policy = { points: 10, windowSeconds: 60 };

  it('takes points until there are none left, and tells how many and for how long', async () => {
    const limiter = createRateLimiter(policy);
    expect(await limiter.spend('a', 4)).toEqual({
      ...policy,
      remaining: 6,
      resetSeconds: 60,
      isExceeded: false,
    });
    vi.advanceTimersByTime(20_500);
    expect(await limiter.spend('a', 6)).toMatchObject({ remaining: 0, resetSeconds: 40, isExceeded: false });
    expect(await limiter.spend('a', 1)).toMatchObject({ remaining: 0, resetSeconds: 40, isExceeded: true });
  });

  it('has them all again when the window is over, however much was refused', async () => {
    const limiter = createRateLimiter(policy);
    await limiter.spend('a', 1);
    for (let count = 0; count < 5; count += 1) await limiter.spend('a', 100);
    vi.advanceTimersByTime(59_999);
    expect(await limiter.spend('a', 1)).toMatchObject({ isExceeded: true, resetSeconds: 1 });
    vi.advanceTimersByTime(1);
    expect(await limiter.spend('a', 1)).toMatchObject({ isExceeded: false, remaining: 9 });
  });

  it('counts each key for itself', async () => {
    const limiter = createRateLimiter(policy);
    await limiter.spend('a', 11);
    expect(await limiter.spend('b', 10)).toMatchObject({ isExceeded: false, remaining: 0 });
  });
});

describe('an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['unknown', 'unknown'],
  ])('%s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe('the headers', () => {
  it('name the policy and what is left of it', () => {
    const state = { points: 10, windowSeconds: 60, remaining: 3, resetSeconds: 12, isExceeded: false };
    expect(rateLimitHeaders('points', state)).toEqual([
      ['RateLimit-Policy', '"points";q=10;w=60'],
      ['RateLimit', '"points";r=3;t=12'],
    ]);
  });
});
