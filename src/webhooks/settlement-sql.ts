/** The statement that settles attempts: what was sent and came back, and all that follows from it, in one transaction. */
import type { PoolClient } from 'pg';
import { beginning } from '../audit/difference.ts';
import { SYSTEM } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import type { Settled } from './attempt.ts';
import { targetOf } from './subscription-audit.ts';

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
      consecutive_failures = CASE WHEN excluded.failing_since IS NULL THEN 0 ELSE h.consecutive_failures + excluded.consecutive_failures END,
      failing_since = CASE WHEN excluded.failing_since IS NULL THEN NULL ELSE coalesce(h.failing_since, excluded.failing_since) END,
      last_success_at = coalesce(excluded.last_success_at, h.last_success_at),
      last_failure_at = coalesce(excluded.last_failure_at, h.last_failure_at)
  )
  SELECT id FROM settled`;

// Its deliveries follow piece by piece (mover.ts): however many wait, the others' results are not held up.
const DISABLE = `
  UPDATE webhook_subscriptions SET status = 'DISABLED', disabled_reason = $3, disabled_at = $4, version = version + 1, updated_at = $4
  WHERE organization_id = $1 AND id = $2 AND status <> 'DISABLED' AND deleted_at IS NULL
  RETURNING id, target_url AS "targetUrl"`;

/** Writes a batch in the transaction of `client`. Of two results of one attempt the first counts. Answers the ids that were settled. */
export async function settleBatch(
  client: PoolClient,
  results: readonly Settled[],
  now: Date,
): Promise<readonly string[]> {
  const batch = [
    ...new Map(results.toReversed().map((settled) => [settled.delivery.id, settled])).values(),
  ].toSorted((a, b) => (a.delivery.id < b.delivery.id ? -1 : 1)); // Locks are taken in one order.
  const column = <T>(pick: (settled: Settled) => T): T[] => batch.map(pick);
  const plain = (pick: (settled: Settled) => Plain): string => toArrayLiteral(batch.map(pick));
  const { rows } = await client.query<{ id: string }>({
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
    ],
  });
  for (const refusal of refusals(batch)) await disable(client, refusal, now);
  return rows.map((row) => row.id);
}

type Plain = string | number | Date | null;

/** An array for PostgreSQL of what needs no quotes; the driver would look at every character of it. */
function toArrayLiteral(values: readonly Plain[]): string {
  return `{${values.map((value) => (value instanceof Date ? value.toISOString() : (value ?? 'NULL'))).join(',')}}`;
}

async function disable(
  client: PoolClient,
  { organizationId, subscriptionId, reason }: Refusal,
  now: Date,
): Promise<void> {
  const { rows } = await client.query<Pick<WebhookSubscription, 'id' | 'targetUrl'>>(DISABLE, [
    organizationId,
    subscriptionId,
    reason,
    now,
  ]);
  const [disabled] = rows;
  if (disabled === undefined) return;
  await recordOn(
    client,
    { place: { organizationId }, source: SYSTEM, now },
    {
      action: 'webhook_subscription.disabled',
      target: targetOf(disabled),
      changes: beginning({ disabled_reason: reason }),
    },
  );
}

type Refusal = { readonly organizationId: string; readonly subscriptionId: string; readonly reason: string };

/** The subscriptions that want nothing more, each once, in the order in which their rows are locked. */
function refusals(batch: readonly Settled[]): readonly Refusal[] {
  const found = batch.flatMap(({ delivery: { organizationId, subscriptionId }, outcome }) =>
    outcome.kind === 'failed' && outcome.disableSubscription !== undefined
      ? [[subscriptionId, { organizationId, subscriptionId, reason: outcome.disableSubscription }] as const]
      : [],
  );
  return [...new Map(found).values()].toSorted((a, b) => (a.subscriptionId < b.subscriptionId ? -1 : 1));
}
