import { expect, it } from 'vitest';
import { systemClock, turnableClock } from '../../src/lib/clock.ts';

it('the system clock tells the time', () => {
  const before = Date.now();
  const now = systemClock.now().getTime();
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(Date.now());
});

it('a turnable clock stands still, moves when it is turned, and backwards too', () => {
  const clock = turnableClock(new Date(1_000));
  expect(clock.now()).toEqual(new Date(1_000));
  clock.advance(500);
  expect(clock.now()).toEqual(new Date(1_500));
  clock.advance(-1_000);
  expect(clock.now()).toEqual(new Date(500));
});

it('a turnable clock is not turned by who changes the date it gave', () => {
  const start = new Date(1_000);
  const clock = turnableClock(start);
  clock.now().setTime(0);
  start.setTime(0);
  expect(clock.now()).toEqual(new Date(1_000));
});
