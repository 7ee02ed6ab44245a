/** One attempt: the body as it was stored, signed by every valid secret, posted, and what follows from the answer. */
import type { Clock } from '../lib/clock.ts';
import { type MasterKeys, unseal } from '../lib/crypto.ts';
import type { AttemptResult, HeaderPairs } from '../platform/outbound/attempt-result.ts';
import type { Outbound } from '../platform/outbound/http-client.ts';
import type { Trace } from '../platform/tracing/trace.ts';
import { traceAttempt } from './attempt-trace.ts';
import { type CustomHeaders, maskHeaders } from './custom-headers.ts';
import type { ClaimedDelivery, SubscriptionRow } from './lane-sql.ts';
import { decideOutcome, type Outcome } from './outcome.ts';
import { openSecret } from './secret.ts';
import { parseSecret, type Secret, signatureHeaders } from './signature.ts';

/** A subscription as the worker needs it: opened once, used for many attempts. */
export type Target = {
  readonly url: string;
  readonly headers: CustomHeaders;
  /** The same as the record of an attempt shows them. */
  readonly shownHeaders: CustomHeaders;
  /** Newest first. */
  readonly secrets: readonly { readonly secret: Secret; readonly expiresAt: number }[];
  readonly retrySeconds: readonly number[];
  /** Undefined: the server's. */
  readonly timeoutMs: number | undefined;
};

/** An attempt that was made, and what follows from it. */
export type Settled = {
  readonly delivery: ClaimedDelivery;
  readonly startedAt: Date;
  readonly requestHeaders: HeaderPairs;
  readonly result: AttemptResult;
  readonly outcome: Outcome;
};

export type AttemptDependencies = {
  readonly outbound: Pick<Outbound, 'post'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly trace?: Trace | undefined;
};

/** Opens what is sealed in the subscription. `retrySeconds` is the server's schedule, for those without their own. */
export function openTarget(row: SubscriptionRow, keys: MasterKeys, retrySeconds: readonly number[]): Target {
  const headers: CustomHeaders =
    row.sealedHeaders === null ? [] : JSON.parse(unseal(keys, row.sealedHeaders, row.id).toString());
  return {
    url: row.targetUrl,
    headers,
    shownHeaders: maskHeaders(headers),
    secrets: row.secrets.map(({ sealed, expiresAt }) => ({
      secret: parseSecret(openSecret(keys, Buffer.from(sealed, 'base64'), row.id)),
      expiresAt: expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt),
    })),
    retrySeconds: row.retrySeconds.length > 0 ? row.retrySeconds : retrySeconds,
    timeoutMs: row.timeoutSeconds === null ? undefined : row.timeoutSeconds * 1_000,
  };
}

/** Makes the next attempt of a delivery. Never throws: whatever happens is a result. */
export async function makeAttempt(
  deps: AttemptDependencies,
  target: Target,
  delivery: ClaimedDelivery,
): Promise<Settled> {
  return deps.trace === undefined
    ? attempt(deps, target, delivery)
    : traceAttempt(deps.trace, delivery, () => attempt(deps, target, delivery));
}

async function attempt(
  deps: AttemptDependencies,
  target: Target,
  delivery: ClaimedDelivery,
): Promise<Settled> {
  const startedAt = deps.clock.now();
  const body = Buffer.from(delivery.body ?? '');
  const headers = requestHeaders(target, delivery, body, startedAt);
  const { url, timeoutMs } = target;
  const result = await deps.outbound.post({ url, headers: headers.sent, body, timeoutMs });
  const outcome = decideOutcome({
    result,
    attemptNumber: delivery.attemptCount - delivery.scheduleStart + 1,
    schedule: target.retrySeconds,
    now: deps.clock.now(),
    random: deps.random,
  });
  return {
    delivery,
    startedAt,
    requestHeaders: headers.shown,
    result: withoutCredentials(result),
    outcome,
  };
}

/**
 * The headers of an attempt that is made now, in the order in which they are sent, those that the subscription adds first;
 * and as its record shows them.
 */
export function requestHeaders(
  { headers, shownHeaders, secrets }: Pick<Target, 'headers' | 'shownHeaders' | 'secrets'>,
  { id, eventId, eventType }: Pick<ClaimedDelivery, 'id' | 'eventId' | 'eventType'>,
  body: Buffer,
  now: Date,
): { readonly sent: HeaderPairs; readonly shown: HeaderPairs } {
  const valid = secrets.filter(({ expiresAt }) => expiresAt > now.getTime()).map(({ secret }) => secret);
  const timestampSeconds = Math.floor(now.getTime() / 1_000);
  const signatures = signatureHeaders({ body, deliveryId: id, timestampSeconds, secrets: valid });
  const own: HeaderPairs = [
    ['content-type', 'application/json'],
    ['user-agent', 'OptioConnect/1'],
    ['X-Optio-Event', eventType],
    ['X-Optio-Delivery', id],
    ['X-Optio-Event-Id', eventId],
    ...Object.entries(signatures),
  ];
  return { sent: [...headers, ...own], shown: [...shownHeaders, ...own] };
}

/** What the receiver answered, as the record shows it. */
function withoutCredentials(result: AttemptResult): AttemptResult {
  return result.kind === 'response' ? { ...result, headers: maskHeaders(result.headers) } : result;
}
