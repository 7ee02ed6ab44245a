/** The statements of the worker that read: claim what is due, load how a subscription wants to be sent to. */
import type { Pool } from 'pg';
import { toArrayLiteral } from '../platform/database/array-literal.ts';
import type { Position } from './lane-reach.ts';
import { LOWEST_KEY } from './lane-walk.ts';

/** What a claim asks for one lane. */
export type ClaimRequest = {
  readonly organizationId: string;
  readonly subscriptionId: string;
  readonly limit: number;
  /** Of an ordered lane: the lowest key to look at. */
  readonly fromKey?: bigint | undefined;
  /** Of a lane without order: what is due after this alone, in the order of `Position`. */
  readonly after?: Position | undefined;
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
  /** Of an ordered lane: the key that was looked at last, if there may be more beyond it. */
  readonly walkedTo: bigint | undefined;
  /** Of a lane without order: where the claim ended; undefined if there is nothing more. */
  readonly reached: Position | undefined;
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
  readonly orderedBy: string | null;
  readonly timeoutSeconds: number | null;
  readonly version: number;
  /** Newest first. */
  readonly secrets: readonly { readonly sealed: string; readonly expiresAt: string | null }[];
};

const COLUMNS =
  'organization_id, id, subscription_id, event_id, event_type, attempt_count, schedule_start, due_at';
const DUE =
  'w.subscription_id = l.subscription_id AND w.due_at <= $4 AND w.id NOT IN (SELECT unnest($5::uuid[]))';
const NOT_DISCARDED = '(s.discard_before IS NULL OR w.id >= s.discard_before)';
const SENT_TO = "s.status = 'ACTIVE' AND s.deleted_at IS NULL";

/** Keys of an ordered lane that one claim looks at. */
export const KEYS_AT_ONCE = 200;

// Of an ordered lane, the first delivery of each key that has not ended, by one probe of deliveries_in_order a key, and of
// these the ones that are due. The walk ends with the limit, or at the last of so many keys, which tells where it came to.
const FIRST_OF_EACH_KEY = `
  WITH RECURSIVE first AS (
    (SELECT w.*, 1 AS nth FROM deliveries w
      WHERE ${SENT_TO} AND s.ordered_by IS NOT NULL AND l.row_limit > 0
        AND w.subscription_id = l.subscription_id AND w.ordering_key >= l.from_key AND w.completed_at IS NULL
      ORDER BY w.ordering_key, w.ordering_position LIMIT 1)
    UNION ALL
    SELECT following.*, first.nth + 1 FROM first, LATERAL (
      SELECT w.* FROM deliveries w
      WHERE w.subscription_id = l.subscription_id AND w.ordering_key > first.ordering_key AND w.completed_at IS NULL
      ORDER BY w.ordering_key, w.ordering_position LIMIT 1) AS following
    WHERE first.nth < ${KEYS_AT_ONCE}
  ), walked AS (
    SELECT w.*, ${DUE} AND ${NOT_DISCARDED} AS is_due FROM first w
  )
  SELECT ${COLUMNS}, ordering_key, coalesce(is_due, false), nth = ${KEYS_AT_ONCE} FROM walked
  WHERE is_due OR nth = ${KEYS_AT_ONCE} LIMIT l.row_limit`;

// What was emitted before the order was asked for, or by who did not know of it yet: it is due before what is in order, and so
// among the first.
const WITHOUT_ORDER = `
  SELECT ${COLUMNS}, NULL::bigint, true, false FROM (
    SELECT * FROM deliveries w
    WHERE ${SENT_TO} AND s.ordered_by IS NOT NULL AND ${DUE}
    ORDER BY w.due_at, w.id LIMIT 100) AS w
  WHERE w.ordering_key IS NULL AND NOT w.is_test AND ${NOT_DISCARDED} LIMIT l.row_limit`;

// Where a claim of a lane without order goes on: after what was claimed before.
const AFTER = '(w.due_at, w.id) > (l.after_due, l.after_id)';

/**
 * Of the connections that claim. The statement is planned once for each, whatever is asked for and whatever the table's
 * statistics say: they are from a time at which little was due, most often, and a plan for little reads and sorts
 * everything that is due in a lane. The indexes that the comment below tells of are right at every size.
 * (Without `jit`, which the cost of the one sort that is left would set off.)
 */
export const CLAIM_SETTINGS = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_sort: 'off',
  jit: 'off',
} as const;

// In the order of time.
const WITHOUT_KEYS = `
  SELECT ${COLUMNS}, NULL::bigint AS ordering_key, true AS is_due, false AS is_last FROM deliveries w
  WHERE ${SENT_TO} AND s.ordered_by IS NULL AND ${DUE} AND ${AFTER} AND ${NOT_DISCARDED}
  ORDER BY w.due_at, w.id LIMIT l.row_limit`;

const TESTS = `
  SELECT ${COLUMNS}, NULL::bigint, true, false FROM deliveries w
  WHERE (s.status <> 'ACTIVE' OR s.ordered_by IS NOT NULL) AND s.deleted_at IS NULL AND w.is_test AND ${DUE} AND ${AFTER}
  ORDER BY w.due_at, w.id LIMIT l.row_limit`;

// One row a lane even when nothing is due or asked for, so that a change of its subscription is seen. Each lane costs one
// descent of deliveries_waiting per partition and reads `limit` rows beyond those in flight; of a subscription that is
// not active, or ordered, deliveries_waiting_tests. Nothing is written: the lane is this worker's, and settling is fenced by
// the count of attempts.
const claimOf = (...parts: readonly string[]): string => `
  SELECT l.subscription_id AS "laneId", s.version, d.organization_id AS "organizationId", d.id,
         d.subscription_id AS "subscriptionId", d.event_id AS "eventId", d.event_type AS "eventType",
         d.attempt_count AS "attemptCount", d.schedule_start AS "scheduleStart", e.body,
         d.ordering_key AS "orderingKey", d.is_due AS "isDue", d.is_last AS "isLast", d.due_at AS "dueAt"
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $6::bigint[], $7::timestamptz[], $8::uuid[])
    AS l (organization_id, subscription_id, row_limit, from_key, after_due, after_id)
  JOIN webhook_subscriptions s ON s.organization_id = l.organization_id AND s.id = l.subscription_id
  LEFT JOIN LATERAL (${parts.map((part) => `(${part})`).join(' UNION ALL ')})
    AS d (organization_id, id, subscription_id, event_id, event_type, attempt_count, schedule_start, due_at, ordering_key, is_due, is_last) ON true
  LEFT JOIN events e ON e.organization_id = d.organization_id AND e.id = d.event_id AND d.is_due
  ORDER BY d.due_at, d.id`;

// Apart, because to open the indexes of both takes longer than to look into those of one. A lane whose subscription is
// of the other kind by now finds nothing, but hears that its version is another one.
const CLAIM = { name: 'claim-due', text: claimOf(WITHOUT_KEYS, TESTS) };
const CLAIM_IN_ORDER = { name: 'claim-in-order', text: claimOf(TESTS, WITHOUT_ORDER, FIRST_OF_EACH_KEY) };

// Before everything.
const NOWHERE: Position = { dueAt: new Date(0), id: '00000000-0000-0000-0000-000000000000' };

/** Reads what is due in each of the lanes, at most `limit` of it, leaving out what is in flight. */
export async function claimDue(
  pool: Pool,
  lanes: readonly ClaimRequest[],
  inFlight: readonly string[],
  now: Date,
): Promise<readonly Claim[]> {
  const isOrdered = ({ fromKey }: ClaimRequest): boolean => fromKey !== undefined;
  const claims = await Promise.all([
    claim(pool, CLAIM, { lanes: lanes.filter((lane) => !isOrdered(lane)), inFlight, now }),
    claim(pool, CLAIM_IN_ORDER, { lanes: lanes.filter(isOrdered), inFlight, now }),
  ]);
  return claims.flat();
}

/** Connects, and lets PostgreSQL plan what will be asked. */
export async function prepareToClaim(pool: Pool): Promise<void> {
  await pool.query({ ...CLAIM, values: valuesOf({ lanes: [], inFlight: [], now: new Date(0) }) });
}

type ClaimQuestion = {
  readonly lanes: readonly ClaimRequest[];
  readonly inFlight: readonly string[];
  readonly now: Date;
};

async function claim(
  pool: Pool,
  statement: typeof CLAIM,
  question: ClaimQuestion,
): Promise<readonly Claim[]> {
  const { lanes } = question;
  if (lanes.length === 0) return [];
  const { rows } = await pool.query<ClaimRow>({ ...statement, values: valuesOf(question) });
  const limits = new Map(lanes.map((lane) => [lane.subscriptionId, lane.limit]));
  return [...Map.groupBy(rows, (row) => row.laneId)].map(([subscriptionId, own]) => ({
    subscriptionId,
    version: own[0]?.version ?? 0,
    // A lane without anything due has one row of nulls.
    deliveries: own.filter((row) => row.isDue === true).map(toDelivery),
    walkedTo: walkedTo(own, limits.get(subscriptionId) ?? 0),
    reached: reached(own, limits.get(subscriptionId) ?? 0),
  }));
}

function valuesOf({ lanes, inFlight, now }: ClaimQuestion): unknown[] {
  return [
    lanes.map((lane) => lane.organizationId),
    lanes.map((lane) => lane.subscriptionId),
    lanes.map((lane) => lane.limit),
    now,
    toArrayLiteral(inFlight),
    lanes.map((lane) => lane.fromKey ?? LOWEST_KEY),
    lanes.map((lane) => (lane.after ?? NOWHERE).dueAt),
    lanes.map((lane) => (lane.after ?? NOWHERE).id),
  ];
}

type ClaimRow = ClaimedDelivery & {
  readonly laneId: string;
  readonly version: number;
  readonly orderingKey: string | null;
  readonly isDue: boolean | null;
  readonly isLast: boolean | null;
  readonly dueAt: Date | null;
};

function toDelivery(row: ClaimRow): ClaimedDelivery {
  return {
    organizationId: row.organizationId,
    id: row.id,
    subscriptionId: row.subscriptionId,
    eventId: row.eventId,
    eventType: row.eventType,
    attemptCount: row.attemptCount,
    scheduleStart: row.scheduleStart,
    body: row.body,
  };
}

function reached(rows: readonly ClaimRow[], limit: number): Position | undefined {
  const last = rows.at(-1);
  return last === undefined || last.dueAt === null || rows.length < limit
    ? undefined
    : { dueAt: last.dueAt, id: last.id };
}

/** The walk over the keys was ended by the limit or by the number of keys that are looked at, or came to its own end. */
function walkedTo(rows: readonly ClaimRow[], limit: number): bigint | undefined {
  const keyed = rows.filter((row) => row.orderingKey !== null);
  if (keyed.length < limit && !keyed.some((row) => row.isLast === true)) return undefined;
  const keys = keyed.map((row) => BigInt(row.orderingKey ?? 0));
  return keys.reduce<bigint | undefined>(
    (most, key) => (most === undefined || key > most ? key : most),
    undefined,
  );
}

const LOAD_SUBSCRIPTIONS = `
  SELECT s.organization_id AS "organizationId", s.id, s.target_url AS "targetUrl", s.status, s.deleted_at IS NOT NULL AS deleted,
         s.sealed_headers AS "sealedHeaders", s.max_concurrency AS "maxConcurrency",
         s.rate_limit_per_second AS "rateLimitPerSecond", s.retry_seconds AS "retrySeconds", s.ordered_by AS "orderedBy", s.timeout_seconds AS "timeoutSeconds", s.version,
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
