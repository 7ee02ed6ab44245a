/** The statements of the statistics (webhooks rule 41, docs/adr/0042). */
import { join, raw, type Sql, sqltag as sql } from '@prisma/client/runtime/client';
import { searchable } from '../lib/text.ts';
import type { StatisticsUnit } from './statistics-unit.ts';

/** A row of the rollups, or of what is not added up yet in the same form. */
export type StatisticsRow = {
  readonly startsAt: Date;
  readonly subscriptionId: string;
  readonly eventType: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly attempts: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly latencies: Readonly<Record<string, number>>;
};

export type StatisticsSelection = {
  readonly organizationId: string;
  readonly unit: StatisticsUnit;
  /** The beginning of a bucket. */
  readonly since: Date;
  readonly until: Date;
  readonly subscriptionId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly bySubscription: boolean;
  readonly byEventType: boolean;
  readonly limit: number;
};

const ALL = '00000000-0000-0000-0000-000000000000';

/**
 * Rollups and deltas in one statement, and so in one snapshot: what a compaction moves is seen once. Plan: the range of
 * the primary key that holds the points asked for and nothing else; of the deltas what settled in the last seconds.
 */
export function selectStatistics(selection: StatisticsSelection): Sql {
  const { organizationId, unit, since, until, subscriptionId, eventType, limit } = selection;
  const bySubscription = selection.bySubscription || subscriptionId !== undefined;
  const byEventType = selection.byEventType || eventType !== undefined;
  const only = join(
    [
      sql`organization_id = ${organizationId}::uuid`,
      ...(subscriptionId === undefined ? [] : [sql`subscription_id = ${subscriptionId}::uuid`]),
      ...(eventType === undefined ? [] : [sql`event_type = ${searchable(eventType)}`]),
    ],
    ' AND ',
  );
  // Literals, so that the plan is made for them.
  const grouping = raw(String((bySubscription ? 1 : 0) + (byEventType ? 2 : 0)));
  const bucket = raw(`date_trunc('${unit}', minute, 'UTC')`);
  const subscription = bySubscription ? sql`subscription_id` : sql`${ALL}::uuid`;
  const type = byEventType ? sql`event_type` : sql`''`;
  return sql`
    SELECT starts_at AS "startsAt", subscription_id AS "subscriptionId", event_type AS "eventType",
      succeeded::float8 AS succeeded, failed::float8 AS failed, attempts::float8 AS attempts, failures, latencies
    FROM delivery_statistics
    WHERE ${only} AND unit = ${unit} AND grouping = ${grouping}
      AND starts_at >= ${since}::timestamptz AND starts_at < ${until}::timestamptz
    UNION ALL
    SELECT starts_at, subscription_id, event_type,
      coalesce(sum(count) FILTER (WHERE ended = 'SUCCEEDED'), 0)::float8,
      coalesce(sum(count) FILTER (WHERE ended = 'FAILED'), 0)::float8,
      coalesce(sum(count) FILTER (WHERE ended IS NULL), 0)::float8,
      CASE WHEN reason IS NULL THEN '{}' ELSE jsonb_build_object(reason, sum(count)) END,
      CASE WHEN bin IS NULL THEN '{}' ELSE jsonb_build_object(bin, sum(count)) END
    FROM (
      SELECT ${bucket} AS starts_at, ${subscription} AS subscription_id, ${type} AS event_type, ended, reason, bin, count
      FROM delivery_statistics_deltas WHERE ${only}
    ) AS recent
    WHERE starts_at >= ${since}::timestamptz AND starts_at < ${until}::timestamptz
    GROUP BY starts_at, subscription_id, event_type, reason, bin
    LIMIT ${limit}`;
}

/** Takes back that a delivery ended as FAILED: it is sent again, and may end otherwise. */
export function uncountFailure(delivery: { readonly organizationId: string; readonly id: string }): Sql {
  return sql`
    INSERT INTO delivery_statistics_deltas (organization_id, minute, subscription_id, event_type, ended, count)
    SELECT organization_id, date_trunc('minute', completed_at), subscription_id, event_type, 'FAILED', -1
    FROM deliveries
    WHERE organization_id = ${delivery.organizationId}::uuid AND id = ${delivery.id}::uuid AND status = 'FAILED'`;
}

/** Adds up so many deltas; $1 and $2: the units and since when each is kept. */
export const COMPACT = 'SELECT optio.compact_statistics($1, $2, $3) AS taken';

/** Plan: delivery_statistics_unit_starts_at_idx. */
export const FORGET = `
  DELETE FROM delivery_statistics WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM delivery_statistics WHERE unit = $1 AND starts_at < $2 LIMIT $3))`;
