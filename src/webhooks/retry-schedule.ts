/** When a delivery that did not succeed is tried again (webhooks rule 8). */
import { withJitter } from '../lib/backoff.ts';

/** Seconds to wait before retry 1, 2, …; no more retries than entries. */
export type RetrySchedule = readonly number[];

/** Retries after 1, 2, 4, 8 and 16 minutes. */
export const DEFAULT_RETRY_SCHEDULE: RetrySchedule = [60, 120, 240, 480, 960];

export const MAX_RETRIES = 20;
export const MAX_RETRY_DELAY_SECONDS = 86_400;

/** Reads delays in seconds, separated by commas; an empty text means no retries. Throws an error that says what is expected. */
export function parseRetrySchedule(text: string): RetrySchedule {
  if (text.trim() === '') return [];
  const delays = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  const fits = delays.every((delay) => delay >= 1 && delay <= MAX_RETRY_DELAY_SECONDS);
  if (fits && delays.length <= MAX_RETRIES) return delays;
  throw new Error(
    `Expected at most ${MAX_RETRIES} delays of 1 to ${MAX_RETRY_DELAY_SECONDS} seconds, such as 60,120,240, not ${JSON.stringify(text)}.`,
  );
}

/** A subscription's own schedule where it has one, else the server's. */
export function scheduleOf(own: RetrySchedule, server: RetrySchedule): RetrySchedule {
  return own.length > 0 ? own : server;
}

export type RetryQuestion = {
  readonly schedule: RetrySchedule;
  /** The attempt that just failed, from 1. */
  readonly attemptNumber: number;
  /** What the receiver asked for; undefined when it did not. */
  readonly retryAfterSeconds: number | undefined;
  readonly random: () => number;
};

/**
 * Milliseconds until the next attempt; undefined after the last one.
 * A receiver's wish only ever delays: obeying `Retry-After: 1` would spend all retries within seconds,
 * and the schedule would no longer carry a delivery over an outage. Its wish counts for 24 hours at most.
 */
export function retryDelayMs(question: RetryQuestion): number | undefined {
  const scheduled = question.schedule[question.attemptNumber - 1];
  if (scheduled === undefined) return undefined;
  const asked = Math.min(question.retryAfterSeconds ?? 0, MAX_RETRY_DELAY_SECONDS);
  const delayMs = withJitter(Math.max(scheduled, asked) * 1000, question.random);
  // Jitter spreads what was told the same Retry-After, too, but not past its limit.
  return asked > scheduled ? Math.min(delayMs, MAX_RETRY_DELAY_SECONDS * 1000) : delayMs;
}

/** Retry-After in seconds from now, never negative; undefined when it is neither seconds nor an HTTP date (RFC 9110 10.2.3). */
export function parseRetryAfter(value: string, now: Date): number | undefined {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Number(text);
  // Only the form that senders must use (RFC 9110 5.6.7): Date.parse alone would read almost anything.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : Math.max(0, (time - now.getTime()) / 1000);
}
