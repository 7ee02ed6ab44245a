/** Decides what follows from an attempt: done, another try, or the end (webhooks rule 8). Pure. */
import { STATUS_CODES } from 'node:http';
import { unreachable } from '../lib/errors.ts';
import type {
  AttemptErrorKind,
  AttemptFailure,
  AttemptResponse,
  AttemptResult,
} from '../platform/outbound/attempt-result.ts';
import { parseRetryAfter, type RetrySchedule, retryDelayMs } from './retry-schedule.ts';

/** Why an attempt did not succeed; `http_status`: the receiver answered, but not with 2xx. */
export type FailureKind = AttemptErrorKind | 'http_status';

export type Outcome =
  | { readonly kind: 'succeeded' }
  | {
      readonly kind: 'retry';
      readonly dueAt: Date;
      /** A sentence for people. */
      readonly error: string;
      readonly errorKind: FailureKind;
    }
  | {
      readonly kind: 'failed';
      readonly error: string;
      readonly errorKind: FailureKind;
      /** The subscription is to be disabled, with this reason. */
      readonly disableSubscription?: string;
    };

export type OutcomeQuestion = {
  readonly result: AttemptResult;
  /** From 1. */
  readonly attemptNumber: number;
  readonly schedule: RetrySchedule;
  readonly now: Date;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
};

/** Decides by the result alone; the caller writes what follows. */
export function decideOutcome(question: OutcomeQuestion): Outcome {
  const { result } = question;
  switch (result.kind) {
    case 'response':
      return outcomeOfResponse(result, question);
    case 'error':
      return outcomeOfError(result, question);
    default:
      return unreachable(result);
  }
}

function outcomeOfResponse(response: AttemptResponse, question: OutcomeQuestion): Outcome {
  const { status } = response;
  if (status >= 200 && status < 300) return { kind: 'succeeded' };
  const error = describeStatus(status);
  if (status === 410) {
    const reason = 'The receiver answered 410 Gone: it wants no more deliveries.';
    return { kind: 'failed', error, errorKind: 'http_status', disableSubscription: reason };
  }
  return retryOrFail(
    question,
    { error, errorKind: 'http_status' },
    retryAfterSeconds(response, question.now),
  );
}

function outcomeOfError(failure: AttemptFailure, question: OutcomeQuestion): Outcome {
  const { message: error, errorKind } = failure;
  // No later attempt can go better before somebody changes the URL.
  if (errorKind === 'blocked_address' || errorKind === 'invalid_url') {
    return { kind: 'failed', error, errorKind };
  }
  return retryOrFail(question, { error, errorKind }, undefined);
}

function retryOrFail(
  { schedule, attemptNumber, now, random }: OutcomeQuestion,
  failure: { readonly error: string; readonly errorKind: FailureKind },
  retryAfter: number | undefined,
): Outcome {
  const delayMs = retryDelayMs({ schedule, attemptNumber, retryAfterSeconds: retryAfter, random });
  if (delayMs === undefined) return { kind: 'failed', ...failure };
  return { kind: 'retry', dueAt: new Date(now.getTime() + Math.ceil(delayMs)), ...failure };
}

/** Only where the header means "I am busy": 429 (RFC 6585 4) and 503 (RFC 9110 15.6.4). */
function retryAfterSeconds({ status, headers }: AttemptResponse, now: Date): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const header = headers.find(([name]) => name === 'retry-after');
  return header === undefined ? undefined : parseRetryAfter(header[1], now);
}

function describeStatus(status: number): string {
  const reason = STATUS_CODES[status];
  const answer = `The receiver answered ${status}${reason === undefined ? '' : ` ${reason}`}`;
  return status >= 300 && status < 400 ? `${answer}; redirects are not followed.` : `${answer}.`;
}
