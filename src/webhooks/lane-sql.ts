/** The statements of the worker that read: claim what is due, load how a subscription wants to be sent to. */
import type { Pool } from 'pg';

/** What a claim asks for one lane. */
export type ClaimRequest = {
  readonly organizationId: string;
  readonly subscriptionId: string;
  readonly limit: number;
};

/** A delivery that is due, with what its next attempt needs. */
export type ClaimedDelivery = {
  readonly organizationId: string;
  readonly id: string;
  readonly subscriptionId: string;
  readonly eventId: string;
  readonly eventType: string;
  /** Attempts made so far. */
  readonly attemptCount: number;
  /** Attempts made before the retry schedule last began. */
  readonly scheduleStart: number;
  /** The envelope; null when it is past its retention. */
  readonly body: string | null;
};

/** How the lane's subscription stands, and what is due in it. */
export type Claim = {
  readonly subscriptionId: string;
  /** Changes with every change of the subscription. */
  readonly version: number;
  readonly deliveries: readonly ClaimedDelivery[];
};

export type SubscriptionRow = {
  readonly organizationId: string;
  readonly id: string;
  readonly targetUrl: string;
  readonly status: 'ACTIVE' | 'PAUSED' | 'DISABLED';
  readonly deleted: boolean;
  readonly sealedHeaders: Buffer | null;
  readonly maxConcurrency: number;
  readonly rateLimitPerSecond: number | null;
  readonly retrySeconds: readonly number[];
  readonly version: number;
  /** Newest first. */
  readonly secrets: readonly { readonly sealed: string; readonly expiresAt: string | null }[];
};

// One row a lane even when nothing is due or asked for, so that a change of its subscription is seen. Each lane costs one
// descent of deliveries_waiting per partition and reads `limit` rows beyond those in flight; of a subscription that is
// not active, deliveries_waiting_tests. Nothing is written: the lane is this worker's, and settling is fenced by the
// count of attempts.
const CLAIM = `
  SELECT l.subscription_id AS "laneId", s.version, d.organization_id AS "organizationId", d.id,
         d.subscription_id AS "subscriptionId", d.event_id AS "eventId", d.event_type AS "eventType",
         d.attempt_count AS "attemptCount", d.schedule_start AS "scheduleStart", e.body
  FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS l (organization_id, subscription_id, row_limit)
  JOIN webhook_subscriptions s ON s.organization_id = l.organization_id AND s.id = l.subscription_id
  LEFT JOIN LATERAL (
    (SELECT * FROM deliveries w
      WHERE s.status = 'ACTIVE' AND s.deleted_at IS NULL
        AND w.subscription_id = l.subscription_id AND w.due_at <= $4 AND w.id <> ALL ($5::uuid[])
        AND (s.discard_before IS NULL OR w.id >= s.discard_before)
      ORDER BY w.due_at, w.id LIMIT l.row_limit)
    UNION ALL
    (SELECT * FROM deliveries w
      WHERE s.status <> 'ACTIVE' AND s.deleted_at IS NULL
        AND w.is_test AND w.subscription_id = l.subscription_id AND w.due_at <= $4 AND w.id <> ALL ($5::uuid[])
      ORDER BY w.due_at, w.id LIMIT l.row_limit)
  ) AS d ON true
  LEFT JOIN events e ON e.organization_id = d.organization_id AND e.id = d.event_id
  ORDER BY d.due_at, d.id`;

/** Reads what is due in each of the lanes, at most `limit` of it, leaving out what is in flight. */
export async function claimDue(
  pool: Pool,
  lanes: readonly ClaimRequest[],
  inFlight: readonly string[],
  now: Date,
): Promise<readonly Claim[]> {
  const { rows } = await pool.query<ClaimedDelivery & { laneId: string; version: number }>({
    name: 'claim-due',
    text: CLAIM,
    values: [
      lanes.map((lane) => lane.organizationId),
      lanes.map((lane) => lane.subscriptionId),
      lanes.map((lane) => lane.limit),
      now,
      inFlight,
    ],
  });
  const claims = new Map<
    string,
    { subscriptionId: string; version: number; deliveries: ClaimedDelivery[] }
  >();
  for (const { laneId, version, ...delivery } of rows) {
    const claim = claims.get(laneId) ?? { subscriptionId: laneId, version, deliveries: [] };
    claims.set(laneId, claim);
    // A lane without anything due has one row of nulls.
    if (delivery.id !== null) claim.deliveries.push(delivery);
  }
  return [...claims.values()];
}

const LOAD_SUBSCRIPTIONS = `
  SELECT s.organization_id AS "organizationId", s.id, s.target_url AS "targetUrl", s.status, s.deleted_at IS NOT NULL AS deleted,
         s.sealed_headers AS "sealedHeaders", s.max_concurrency AS "maxConcurrency",
         s.rate_limit_per_second AS "rateLimitPerSecond", s.retry_seconds AS "retrySeconds", s.version,
         coalesce((SELECT json_agg(json_build_object('sealed', encode(k.sealed, 'base64'), 'expiresAt', k.expires_at) ORDER BY k.created_at DESC, k.id DESC)
           FROM webhook_secrets k WHERE k.organization_id = s.organization_id AND k.subscription_id = s.id), '[]') AS secrets
  FROM unnest($1::uuid[], $2::uuid[]) AS l (organization_id, id)
  JOIN webhook_subscriptions s USING (organization_id, id)`;

/** Loads the subscriptions of the lanes, with their secrets still sealed. */
export async function loadSubscriptions(
  pool: Pool,
  lanes: readonly { readonly organizationId: string; readonly subscriptionId: string }[],
): Promise<readonly SubscriptionRow[]> {
  const { rows } = await pool.query<SubscriptionRow>({
    name: 'load-subscriptions',
    text: LOAD_SUBSCRIPTIONS,
    values: [lanes.map((lane) => lane.organizationId), lanes.map((lane) => lane.subscriptionId)],
  });
  return rows;
}
