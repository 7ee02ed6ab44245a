import { describe, expect, it } from 'vitest';
import type {
  AttemptErrorKind,
  AttemptResult,
  HeaderPairs,
} from '../../src/platform/outbound/attempt-result.ts';
import { decideOutcome } from '../../src/webhooks/outcome.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const TIMING = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 2 };

function answer(status: number, headers: HeaderPairs = []): AttemptResult {
  return { kind: 'response', status, headers, body: '', bodyTruncated: false, timing: TIMING };
}

function failure(errorKind: AttemptErrorKind): AttemptResult {
  return { kind: 'error', errorKind, message: 'It did not work.', timing: TIMING };
}

function decide(result: AttemptResult, attemptNumber = 1) {
  return decideOutcome({ result, attemptNumber, schedule: [60, 120], now: NOW, random: () => 0 });
}

const after = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

describe('the outcome of an attempt (webhooks rule 8)', () => {
  it.each([200, 201, 202, 204, 299])('%i is success', (status) => {
    expect(decide(answer(status))).toEqual({ kind: 'succeeded' });
  });

  it.each([
    [300, 'The receiver answered 300 Multiple Choices; redirects are not followed.'],
    [301, 'The receiver answered 301 Moved Permanently; redirects are not followed.'],
    [307, 'The receiver answered 307 Temporary Redirect; redirects are not followed.'],
    [400, 'The receiver answered 400 Bad Request.'],
    [404, 'The receiver answered 404 Not Found.'],
    [429, 'The receiver answered 429 Too Many Requests.'],
    [500, 'The receiver answered 500 Internal Server Error.'],
    [599, 'The receiver answered 599.'],
    [999, 'The receiver answered 999.'],
  ])('%i waits for the schedule', (status, error) => {
    expect(decide(answer(status))).toEqual({
      kind: 'retry',
      dueAt: after(60),
      error,
      errorKind: 'http_status',
    });
    expect(decide(answer(status), 2)).toMatchObject({ dueAt: after(120) });
  });

  it('fails after the last scheduled retry', () => {
    expect(decide(answer(500), 3)).toEqual({
      kind: 'failed',
      error: 'The receiver answered 500 Internal Server Error.',
      errorKind: 'http_status',
    });
  });

  it('410 fails at once and disables the subscription with that reason', () => {
    expect(decide(answer(410))).toEqual({
      kind: 'failed',
      error: 'The receiver answered 410 Gone.',
      errorKind: 'http_status',
      disableSubscription: 'The receiver answered 410 Gone: it wants no more deliveries.',
    });
  });

  it.each([429, 503])('%i honours Retry-After in seconds and as a date, at most 24 hours', (status) => {
    expect(decide(answer(status, [['retry-after', '600']]))).toMatchObject({ dueAt: after(600) });
    expect(decide(answer(status, [['retry-after', 'Mon, 23 Nov 2026 12:05:00 GMT']]))).toMatchObject({
      dueAt: after(300),
    });
    expect(decide(answer(status, [['retry-after', '999999999']]))).toMatchObject({ dueAt: after(86_400) });
  });

  it('does not retry earlier than scheduled because a receiver asks for it', () => {
    expect(decide(answer(503, [['retry-after', '1']]))).toMatchObject({ dueAt: after(60) });
  });

  it('does not look at Retry-After of other answers, nor at one it cannot read', () => {
    expect(decide(answer(500, [['retry-after', '600']]))).toMatchObject({ dueAt: after(60) });
    expect(decide(answer(429, [['retry-after', 'tomorrow']]))).toMatchObject({ dueAt: after(60) });
  });

  it.each(['dns', 'connect', 'tls', 'timeout', 'reset', 'protocol', 'proxy'] as const)(
    '%s waits for the schedule',
    (errorKind) => {
      expect(decide(failure(errorKind))).toEqual({
        kind: 'retry',
        dueAt: after(60),
        error: 'It did not work.',
        errorKind,
      });
      expect(decide(failure(errorKind), 3)).toEqual({ kind: 'failed', error: 'It did not work.', errorKind });
    },
  );

  it.each(['blocked_address', 'invalid_url'] as const)('%s fails at once, with the reason', (errorKind) => {
    expect(decide(failure(errorKind))).toEqual({ kind: 'failed', error: 'It did not work.', errorKind });
  });

  it('adds jitter to the schedule', () => {
    const outcome = decideOutcome({
      result: answer(500),
      attemptNumber: 1,
      schedule: [60],
      now: NOW,
      random: () => 0.5,
    });
    expect(outcome).toMatchObject({ dueAt: after(63) });
  });
});
