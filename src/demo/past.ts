/** How the demo's receivers answered in the past week: results of attempts as the sender would have had them. */
import type { AttemptResult, AttemptTiming, HeaderPairs } from '../platform/outbound/attempt-result.ts';
import type { Chance } from './chance.ts';
import type { Behaviour } from './receiver.ts';
import type { DemoSubscription } from './subscriptions.ts';

const TIMEOUT_MS = 10_000;

/** The answer to the attempt of this number; `hasTurned`: what became of the subscription was so by then. */
export function pastResult(
  subscription: DemoSubscription,
  attempt: { readonly hasTurned: boolean; readonly number: number },
  chance: Chance,
): AttemptResult {
  const { turn, behaviour } = subscription;
  // Before its turn a receiver was as good as any.
  const mood = turn === undefined || attempt.hasTurned ? behaviour : 'ok';
  return ANSWERS[mood](attempt.number, chance);
}

type Answer = (attemptNumber: number, chance: Chance) => AttemptResult;

const ANSWERS: Readonly<Record<Behaviour, Answer>> = {
  ok: (number, chance) =>
    number === 1 && chance.happens(0.006)
      ? refusedConnection(chance)
      : response(200, { received: true }, waitMs(chance, 60)),
  slow: (_, chance) =>
    chance.happens(0.02) ? timedOut(chance) : response(200, { queued: true }, waitMs(chance, 2_600)),
  flaky: (_, chance) =>
    chance.happens(0.3)
      ? response(503, { error: 'deploying' }, waitMs(chance, 25))
      : response(202, { received: true }, waitMs(chance, 90)),
  busy: (number, chance) =>
    number === 1 && chance.happens(0.4)
      ? response(429, { error: 'slow down' }, waitMs(chance, 8), [['retry-after', '30']])
      : response(200, { received: true }, waitMs(chance, 40)),
  error: (_, chance) =>
    response(500, { error: 'relation "subscribers" does not exist' }, waitMs(chance, 140)),
  gone: (_, chance) => response(410, { error: 'this gradebook was retired' }, waitMs(chance, 20)),
  redirect: (_, chance) => response(302, {}, waitMs(chance, 10), [['location', '/elsewhere']]),
};

type Wait = { readonly connectMs: number | null; readonly firstByteMs: number; readonly readMs: number };

/** Around the usual time, now and then much more. A connection that was kept alive takes no time to make. */
function waitMs(chance: Chance, usualMs: number): Wait {
  const spread = 0.5 + chance.next() + (chance.happens(0.05) ? 3 * chance.next() : 0);
  return {
    connectMs: chance.happens(0.3) ? round(0.3 + 1.5 * chance.next()) : null,
    firstByteMs: round(usualMs * spread),
    readMs: round(0.2 + chance.next()),
  };
}

function response(
  status: number,
  body: Readonly<Record<string, unknown>>,
  wait: Wait,
  headers: HeaderPairs = [],
): AttemptResult {
  const { connectMs, firstByteMs, readMs } = wait;
  const totalMs = round((connectMs ?? 0) + firstByteMs + readMs);
  return {
    kind: 'response',
    status,
    headers: [['content-type', 'application/json'], ...headers],
    body: JSON.stringify(body),
    bodyTruncated: false,
    timing: timing({ connectMs, firstByteMs, totalMs }),
  };
}

function refusedConnection(chance: Chance): AttemptResult {
  return {
    kind: 'error',
    errorKind: 'connect',
    message: 'The receiver refused the connection.',
    timing: timing({ totalMs: round(0.5 + chance.next()) }),
  };
}

function timedOut(chance: Chance): AttemptResult {
  return {
    kind: 'error',
    errorKind: 'timeout',
    message: `The receiver did not answer within ${TIMEOUT_MS / 1_000} seconds.`,
    timing: timing({ totalMs: round(TIMEOUT_MS + 5 * chance.next()) }),
  };
}

/** The demo's URLs are plain http to an address: no name to resolve, no TLS. */
function timing(known: Partial<AttemptTiming> & Pick<AttemptTiming, 'totalMs'>): AttemptTiming {
  return { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, ...known };
}

/** Microseconds, as a clock gives them. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}
