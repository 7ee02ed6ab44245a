/**
 * The built-in receiver: answers deliveries in every way a receiver can, verifies them as receivers should, and
 * remembers the last ones, in the memory of this process.
 */
import type { Clock } from '../lib/clock.ts';
import { unreachable } from '../lib/errors.ts';
import type { Verdict } from './verification.ts';

/** How a URL of the receiver answers. */
export const BEHAVIOURS = {
  ok: 'answers 200',
  error: 'answers 500',
  slow: 'answers 200 after a few seconds',
  flaky: 'answers 503 to every third request, 200 to the others',
  busy: 'answers 429 with Retry-After: 30 to every second request, 200 to the others',
  gone: 'answers 410: the subscription is disabled',
  redirect: 'answers 302, which is not followed',
} as const;

export type Behaviour = keyof typeof BEHAVIOURS;

export type Received = {
  readonly path: string;
  readonly behaviour: Behaviour;
  readonly headers: Headers;
  readonly body: string;
};

export type Answer = {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** A request as it is shown. */
export type Remembered = {
  readonly at: string;
  readonly path: string;
  readonly event: string | null;
  readonly delivery: string | null;
  /** Whether a signature proved that it came from here; else what was wrong. */
  readonly verified: boolean;
  readonly fault?: string;
  readonly answer: number;
  /** Cut after some kilobytes. */
  readonly body: string;
};

export type Receiver = {
  /** Answers, however long the behaviour takes; a request that is not verified is answered 401. */
  readonly receive: (received: Received) => Promise<Answer>;
  /** Newest first. */
  readonly remembered: () => readonly Remembered[];
  /** What is slow answers at once from now on, so that a stop does not wait for it. */
  readonly close: () => void;
};

export type ReceiverOptions = {
  readonly verify: (received: Pick<Received, 'headers' | 'body'>) => Promise<Verdict>;
  readonly clock: Clock;
  /** How long the slow behaviour takes; 3 s, if left out. */
  readonly slowMs?: number;
};

const MAX_REMEMBERED = 100;
const MAX_BODY_CHARACTERS = 4_096;
/** URLs whose requests are counted; beyond that, counting begins anew. */
const MAX_COUNTED = 1_000;
const SLOW_MS = 3_000;

export function createReceiver({ verify, clock, slowMs = SLOW_MS }: ReceiverOptions): Receiver {
  const requests: Remembered[] = [];
  const counts = new Map<string, number>();
  const closed = new AbortController();

  /** The number of this request among those to its URL, from 1. */
  const count = (path: string): number => {
    if (counts.size >= MAX_COUNTED && !counts.has(path)) counts.clear();
    const number = (counts.get(path) ?? 0) + 1;
    counts.set(path, number);
    return number;
  };
  const remember = (received: Received, verdict: Verdict, answer: Answer): void => {
    const { path, headers, body } = received;
    requests.unshift({
      at: clock.now().toISOString(),
      path,
      event: headers.get('x-optio-event'),
      delivery: headers.get('x-optio-delivery'),
      ...verdict,
      answer: answer.status,
      body: body.slice(0, MAX_BODY_CHARACTERS),
    });
    requests.length = Math.min(requests.length, MAX_REMEMBERED);
  };
  return {
    receive: async (received) => {
      const verdict = await verify(received);
      const answer = verdict.verified
        ? answerOf(received.behaviour, count(received.path))
        : { status: 401, body: { error: verdict.fault } };
      if (verdict.verified && received.behaviour === 'slow') await pause(slowMs, closed.signal);
      remember(received, verdict, answer);
      return answer;
    },
    remembered: () => [...requests],
    close: () => closed.abort(),
  };
}

function answerOf(behaviour: Behaviour, number: number): Answer {
  const taken = { status: 200, body: { received: true } };
  switch (behaviour) {
    case 'ok':
    case 'slow':
      return taken;
    case 'error':
      return { status: 500, body: { error: 'relation "subscribers" does not exist' } };
    case 'flaky':
      return number % 3 === 0 ? { status: 503, body: { error: 'deploying' } } : taken;
    case 'busy':
      return number % 2 === 0 ? TOO_MANY : taken;
    case 'gone':
      return { status: 410, body: { error: 'this receiver was switched off' } };
    case 'redirect':
      return { status: 302, body: {}, headers: { Location: '/demo/receiver/ok' } };
    default:
      return unreachable(behaviour);
  }
}

const TOO_MANY: Answer = { status: 429, body: { error: 'slow down' }, headers: { 'Retry-After': '30' } };

function pause(milliseconds: number, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      until.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, until.aborted ? 0 : milliseconds);
    until.addEventListener('abort', end);
  });
}
