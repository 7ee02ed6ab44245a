/** What became of one delivery of the past week: the sender's own rules, applied to answers that were made up. */
import type { DeliveryStatus } from '../generated/prisma/client.ts';
import type { AttemptResult, HeaderPairs } from '../platform/outbound/attempt-result.ts';
import { requestHeaders, type Target } from '../webhooks/attempt.ts';
import { decideOutcome, type Outcome } from '../webhooks/outcome.ts';
import type { Chance } from './chance.ts';
import type { HistoryOptions, PastEvent } from './history.ts';
import { pastResult } from './past.ts';
import type { DemoSubscription } from './subscriptions.ts';

/** A subscription of the demo as history needs it. */
export type Subscriber = {
  readonly id: string;
  readonly targetUrl: string;
  readonly definition: DemoSubscription;
  readonly target: Pick<Target, 'headers' | 'shownHeaders' | 'secrets'>;
};

export type PastAttempt = {
  readonly number: number;
  readonly startedAt: Date;
  readonly requestHeaders: HeaderPairs;
  readonly result: AttemptResult;
  readonly outcome: Outcome;
};

export type PastDelivery = {
  readonly id: string;
  readonly subscriptionId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  readonly dueAt: Date | null;
  readonly completedAt: Date | null;
  readonly isTest: boolean;
  readonly attempts: readonly PastAttempt[];
};

export type DeliveryQuestion = Pick<HistoryOptions, 'retrySeconds' | 'now' | 'chance'> & {
  readonly id: string;
  readonly event: PastEvent;
  readonly subscriber: Subscriber;
  /** When the turn of the subscription came; undefined: it has none. */
  readonly turnAt: Date | undefined;
  readonly isTest: boolean;
};

/** Plays a delivery from its event up to `now`. */
export function playDelivery(question: DeliveryQuestion): PastDelivery {
  const { id, event, subscriber, isTest } = question;
  const base = { id, subscriptionId: subscriber.id, eventId: event.id, eventType: event.type, isTest };
  if (isHeld(question)) return { ...base, status: 'HELD', dueAt: null, completedAt: null, attempts: [] };
  return { ...base, ...playAttempts(question) };
}

/** What came after a pause or after the end waits. */
function isHeld({ event, subscriber, turnAt, isTest }: DeliveryQuestion): boolean {
  if (turnAt === undefined || isTest || subscriber.definition.turn?.kind === 'broken') return false;
  return event.occurredAt > turnAt;
}

type Played = Pick<PastDelivery, 'status' | 'dueAt' | 'completedAt' | 'attempts'>;

function playAttempts(question: DeliveryQuestion): Played {
  const { event, now, chance } = question;
  const attempts: PastAttempt[] = [];
  let dueAt = event.occurredAt;
  for (;;) {
    const attempt = playAttempt(question, attempts.length + 1, later(dueAt, pickupMs(chance)));
    const endedAt = later(attempt.startedAt, attempt.result.timing.totalMs);
    // It has not happened yet: the server makes this attempt itself.
    if (endedAt >= now) {
      return { status: attempts.length === 0 ? 'PENDING' : 'RETRYING', dueAt, completedAt: null, attempts };
    }
    attempts.push(attempt);
    const { outcome } = attempt;
    if (outcome.kind === 'succeeded') {
      return { status: 'SUCCEEDED', dueAt: null, completedAt: endedAt, attempts };
    }
    if (outcome.kind === 'failed') return { status: 'FAILED', dueAt: null, completedAt: endedAt, attempts };
    dueAt = outcome.dueAt;
  }
}

function playAttempt(question: DeliveryQuestion, number: number, startedAt: Date): PastAttempt {
  const { id, event, subscriber, retrySeconds, turnAt, chance } = question;
  const hasTurned = turnAt !== undefined && startedAt >= turnAt;
  const result = pastResult(subscriber.definition, { hasTurned, number }, chance);
  const delivery = { id, eventId: event.id, eventType: event.type };
  const { shown } = requestHeaders(subscriber.target, delivery, Buffer.from(event.body), startedAt);
  const outcome = decideOutcome({
    result,
    attemptNumber: number,
    schedule: retrySeconds,
    now: later(startedAt, result.timing.totalMs),
    random: chance.next,
  });
  return { number, startedAt, requestHeaders: shown, result, outcome };
}

/** From being due to being sent. */
function pickupMs(chance: Chance): number {
  return 3 + 12 * chance.next();
}

function later(time: Date, milliseconds: number): Date {
  return new Date(time.getTime() + Math.ceil(milliseconds));
}
