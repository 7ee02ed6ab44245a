import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RETRY_SCHEDULE,
  parseRetryAfter,
  parseRetrySchedule,
  retryDelayMs,
  scheduleOf,
} from '../../src/webhooks/retry-schedule.ts';

const NOW = new Date('2026-11-23T12:00:00Z');

describe('the schedule', () => {
  it('retries after 1, 2, 4, 8 and 16 minutes', () => {
    expect(DEFAULT_RETRY_SCHEDULE).toEqual([60, 120, 240, 480, 960]);
  });

  it("is the subscription's own where it has one", () => {
    expect(scheduleOf([5], DEFAULT_RETRY_SCHEDULE)).toEqual([5]);
    expect(scheduleOf([], DEFAULT_RETRY_SCHEDULE)).toEqual(DEFAULT_RETRY_SCHEDULE);
  });

  it('is read from text', () => {
    expect(parseRetrySchedule('60, 120,240')).toEqual([60, 120, 240]);
    expect(parseRetrySchedule(' ')).toEqual([]);
  });

  it.each(['60,', '0', '-1', '1.5', 'x', '86401', '1e3', '60;120', Array(21).fill('1').join(',')])(
    'refuses %j',
    (text) => {
      expect(() => parseRetrySchedule(text)).toThrow('Expected at most 20 delays of 1 to 86400 seconds');
    },
  );
});

const ask = (attemptNumber: number, retryAfterSeconds?: number, chance = 0) =>
  retryDelayMs({ schedule: [60, 120], attemptNumber, retryAfterSeconds, random: () => chance });

describe('retryDelayMs', () => {
  it('takes the delay of the attempt that failed, and adds jitter', () => {
    expect(ask(1)).toBe(60_000);
    expect(ask(2)).toBe(120_000);
    expect(ask(1, undefined, 0.5)).toBe(63_000);
  });

  it('ends after the last retry, whatever the receiver asks for', () => {
    expect(ask(3)).toBeUndefined();
    expect(ask(3, 10)).toBeUndefined();
  });

  it('waits longer when asked to, with jitter, and never shorter than scheduled', () => {
    expect(ask(1, 600)).toBe(600_000);
    expect(ask(1, 600, 0.5)).toBe(630_000);
    expect(ask(1, 1)).toBe(60_000);
    expect(ask(1, 0)).toBe(60_000);
  });

  it('waits 24 hours at most, jitter included', () => {
    expect(ask(1, 10_000_000)).toBe(86_400_000);
    expect(ask(1, 86_400, 0.9)).toBe(86_400_000);
  });
});

describe('Retry-After (RFC 9110 10.2.3)', () => {
  it.each([
    ['120', 120],
    [' 0 ', 0],
    ['Mon, 23 Nov 2026 12:02:00 GMT', 120],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
  ])('%j is in %j seconds', (value, seconds) => {
    expect(parseRetryAfter(value, NOW)).toBe(seconds);
  });

  it.each(['', 'soon', '-5', '1.5', '2026-11-23', 'Mon, 99 Nov 2026 12:02:00 GMT', '1e9'])(
    '%j says nothing',
    (value) => {
      expect(parseRetryAfter(value, NOW)).toBeUndefined();
    },
  );
});
