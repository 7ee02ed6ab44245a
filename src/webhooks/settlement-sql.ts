/** The statement that settles attempts: what was sent and came back, and all that follows from it, in one transaction. */
import type { PoolClient } from 'pg';
import type { WakeLanes } from '../events/emit.ts';
import { type Plain, toArrayLiteral } from '../platform/database/array-literal.ts';
import type { Settled } from './attempt.ts';
import { type Disabling, disableSubscription } from './disable.ts';
import { DEFAULT_HEALTH_LIMITS, failingBounds, failingReason, type HealthLimits } from './health.ts';

// The fence: only the attempt that follows the recorded ones counts. What a worker that lost its lane comes with late
// changes nothing, is not recorded a second time and costs no attempt. A delivery that was cancelled or held while its
// attempt was under way stays so, unless that attempt succeeded.
const SETTLE = `
  WITH result AS (
    SELECT * FROM unnest(
      $1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::real[], $8::real[], $9::real[],
      $10::real[], $11::real[], $12::jsonb[], $13::int[], $14::jsonb[], $15::text[], $16::text[], $17::text[]
    ) AS r (organization_id, delivery_id, number, outcome, due_at, started_at, dns_ms, connect_ms, tls_ms,
      first_byte_ms, total_ms, request_headers, response_code, response_headers, response_body, error_kind, error)
  ), settled AS (
    UPDATE deliveries d SET
      attempt_count = r.number,
      version = d.version + 1,
      status = CASE
        WHEN r.outcome = 'succeeded' THEN 'SUCCEEDED'
        WHEN d.status = 'CANCELLED' THEN 'CANCELLED'
        WHEN r.outcome = 'failed' THEN 'FAILED'
        WHEN d.status = 'HELD' THEN 'HELD'
        ELSE 'RETRYING' END::"DeliveryStatus",
      due_at = CASE WHEN r.outcome = 'retry' AND d.status IN ('PENDING', 'RETRYING') THEN r.due_at END,
      completed_at = CASE
        WHEN r.outcome = 'succeeded' THEN $18::timestamptz
        WHEN d.status = 'CANCELLED' THEN d.completed_at
        WHEN r.outcome = 'failed' THEN $18 END,
      last_response_code = r.response_code,
      last_error = r.error
    FROM result r
    WHERE d.organization_id = r.organization_id AND d.id = r.delivery_id AND d.attempt_count = r.number - 1
    RETURNING d.organization_id, d.id, d.version, d.subscription_id, d.event_type, d.status, d.attempt_count
  ), attempt AS (
    INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, dns_ms, connect_ms, tls_ms,
      first_byte_ms, total_ms, request_headers, response_code, response_headers, response_body, error_kind, error)
    SELECT r.organization_id, r.delivery_id, r.number, r.started_at, r.dns_ms, r.connect_ms, r.tls_ms,
      r.first_byte_ms, r.total_ms, r.request_headers, r.response_code, r.response_headers, r.response_body, r.error_kind, r.error
    FROM result r JOIN settled s ON s.organization_id = r.organization_id AND s.id = r.delivery_id
  ), logged AS (
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number,
      response_code, duration_ms, error, at)
    SELECT s.organization_id, s.id, s.version, s.subscription_id, s.event_type, s.status, s.attempt_count,
      r.response_code, r.total_ms, r.error, $18
    FROM result r JOIN settled s ON s.organization_id = r.organization_id AND s.id = r.delivery_id
  ), counted AS (
    INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, reason, bin, count)
    SELECT s.organization_id, date_trunc('minute', r.started_at), s.subscription_id, s.event_type, NULL, r.error_kind,
      optio.latency_bin(r.total_ms, r.error_kind), count(*)
    FROM result r JOIN settled s ON s.organization_id = r.organization_id AND s.id = r.delivery_id
    GROUP BY 1, 2, 3, 4, 6, 7
    UNION ALL
    SELECT organization_id, date_trunc('minute', $18::timestamptz), subscription_id, event_type, status::text, NULL, NULL, count(*)
    FROM settled WHERE status IN ('SUCCEEDED', 'FAILED') GROUP BY 1, 3, 4, 5
  ), ended AS (
    SELECT organization_id, subscription_id, bool_or(status = 'SUCCEEDED') AS succeeded, count(*) FILTER (WHERE status = 'FAILED') AS failures
    FROM settled WHERE status IN ('SUCCEEDED', 'FAILED') GROUP BY organization_id, subscription_id
  ), health AS (
    INSERT INTO webhook_subscription_health AS h
      (organization_id, subscription_id, consecutive_failures, failing_since, last_success_at, last_failure_at)
    SELECT organization_id, subscription_id,
      CASE WHEN succeeded THEN 0 ELSE failures END, CASE WHEN NOT succeeded THEN $18::timestamptz END,
      CASE WHEN succeeded THEN $18::timestamptz END, CASE WHEN failures > 0 THEN $18::timestamptz END
    FROM ended ORDER BY organization_id, subscription_id
    ON CONFLICT (organization_id, subscription_id) DO UPDATE SET
      (consecutive_failures, failing_since) = (
        SELECT CASE WHEN excluded.failing_since IS NULL THEN 0 ELSE excluded.consecutive_failures + CASE WHEN goes_on THEN h.consecutive_failures ELSE 0 END END,
               CASE WHEN goes_on THEN coalesce(h.failing_since, excluded.failing_since) ELSE excluded.failing_since END
        FROM (SELECT excluded.failing_since IS NOT NULL AND NOT EXISTS (
          SELECT FROM webhook_subscriptions s
          WHERE s.organization_id = h.organization_id AND s.id = h.subscription_id AND s.active_since > h.failing_since) AS goes_on) AS streak),
      last_success_at = coalesce(excluded.last_success_at, h.last_success_at),
      last_failure_at = coalesce(excluded.last_failure_at, h.last_failure_at)
    RETURNING organization_id, subscription_id, consecutive_failures, failing_since
  )
  SELECT id, NULL::json AS failing FROM settled
  UNION ALL
  SELECT subscription_id, json_build_object('organizationId', organization_id, 'failures', consecutive_failures, 'since', failing_since)
  FROM health WHERE (consecutive_failures >= $19 AND failing_since <= $20) OR failing_since <= $21`;

type Streak = { readonly organizationId: string; readonly failures: number; readonly since: string };
/** A delivery that was settled; or, with its streak of failures, a subscription that has failed for too long. */
type SettledRow = { readonly id: string; readonly failing: Streak | null };

export type SettleOptions = {
  readonly limits?: HealthLimits | undefined;
  readonly wakeLanes?: WakeLanes | undefined;
  /** Is given what is to be called once the batch is committed. */
  readonly afterCommit?: (call: () => void) => void;
};

/** Writes a batch in the transaction of `client`. Of two results of one attempt the first counts. Answers the ids that were settled. */
export async function settleBatch(
  client: PoolClient,
  results: readonly Settled[],
  now: Date,
  { limits = DEFAULT_HEALTH_LIMITS, wakeLanes = leaveToTheScan, afterCommit }: SettleOptions = {},
): Promise<readonly string[]> {
  const batch = [
    ...new Map(results.toReversed().map((settled) => [settled.delivery.id, settled])).values(),
  ].toSorted((a, b) => (a.delivery.id < b.delivery.id ? -1 : 1)); // Locks are taken in one order.
  const bounds = failingBounds(limits, now);
  const column = <T>(pick: (settled: Settled) => T): T[] => batch.map(pick);
  const plain = (pick: (settled: Settled) => Plain): string => toArrayLiteral(batch.map(pick));
  const { rows } = await client.query<SettledRow>({
    name: 'settle',
    text: SETTLE,
    values: [
      plain(({ delivery }) => delivery.organizationId),
      plain(({ delivery }) => delivery.id),
      plain(({ delivery }) => delivery.attemptCount + 1),
      plain(({ outcome }) => outcome.kind),
      plain(({ outcome }) => (outcome.kind === 'retry' ? outcome.dueAt : null)),
      plain(({ startedAt }) => startedAt),
      plain(({ result }) => result.timing.dnsMs),
      plain(({ result }) => result.timing.connectMs),
      plain(({ result }) => result.timing.tlsMs),
      plain(({ result }) => result.timing.firstByteMs),
      plain(({ result }) => result.timing.totalMs),
      column(({ requestHeaders }) => JSON.stringify(requestHeaders)),
      plain(({ result }) => (result.kind === 'response' ? result.status : null)),
      column(({ result }) => (result.kind === 'response' ? JSON.stringify(result.headers) : null)),
      column(({ result }) => (result.kind === 'response' ? result.body : null)),
      plain(({ outcome }) => (outcome.kind === 'succeeded' ? null : outcome.errorKind)),
      column(({ outcome }) => (outcome.kind === 'succeeded' ? null : outcome.error)),
      now,
      limits.failures,
      bounds.failuresSince,
      bounds.failingSince,
    ],
  });
  for (const disabling of disablings(batch, rows)) {
    const wake = await disableSubscription(client, disabling, { now, wakeLanes });
    afterCommit?.(wake);
  }
  return rows.flatMap((row) => (row.failing === null ? [row.id] : []));
}

function leaveToTheScan(): void {
  // It finds every lane within a second.
}

/** The subscriptions that are to be disabled, each once, in the order in which their rows are locked. */
function disablings(batch: readonly Settled[], rows: readonly SettledRow[]): readonly Disabling[] {
  const failing = rows.flatMap(({ id, failing: streak }) =>
    streak === null
      ? []
      : [{ ...streak, subscriptionId: id, reason: reasonOf(streak), keepsFailing: true } as const],
  );
  const refusing = batch.flatMap(({ delivery: { organizationId, subscriptionId }, outcome }) =>
    outcome.kind === 'failed' && outcome.disableSubscription !== undefined
      ? [
          {
            organizationId,
            subscriptionId,
            reason: outcome.disableSubscription,
            keepsFailing: false,
          } as const,
        ]
      : [],
  );
  // Of the two reasons the receiver's own word is the better one.
  const found = [...failing, ...refusing].map((one) => [one.subscriptionId, one] as const);
  return [...new Map(found).values()].toSorted((a, b) => (a.subscriptionId < b.subscriptionId ? -1 : 1));
}

function reasonOf({ failures, since }: Streak): string {
  return failingReason(failures, new Date(since));
}
