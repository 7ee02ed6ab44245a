/** The statements of replays (docs/adr/0043). */
import { join, raw, type Sql, sqltag as sql } from '@prisma/client/runtime/client';
import type { Replay } from '../generated/prisma/client.ts';
import { DeliveryStatus } from '../generated/prisma/enums.ts';
import { lowestUuidAt } from '../lib/ids.ts';

/** What a replay is about. `position`: only what lies behind it. */
export type ReplaySelection = Pick<
  Replay,
  'organizationId' | 'id' | 'missing' | 'subscriptionId' | 'eventTypes' | 'statuses' | 'until' | 'position'
>;

/** Those that can be replayed: what waits is sent anyhow. */
export const REPLAYABLE = ['SUCCEEDED', 'FAILED', 'CANCELLED'] as const satisfies readonly DeliveryStatus[];

/** New deliveries that have not ended, of one replay, at most: so it stands back behind what is emitted. */
const MAX_OPEN = 1_000;

/**
 * The next of what is to be replayed, oldest first: id, subscription_id, event_id, event_type, replay_of_id. Of an event
 * to a subscription only the latest delivery counts, so that what was replayed is not replayed again. Plan: a range of
 * the primary key, or of the small index of a status (a literal, see delivery-filter.ts); for each a look at the
 * deliveries of its event.
 */
export function selectSources(selection: ReplaySelection, limit: number): Sql {
  return selection.missing ? selectMissing(selection, limit) : selectDeliveries(selection, limit);
}

function selectDeliveries(selection: ReplaySelection, limit: number): Sql {
  const { organizationId, subscriptionId, eventTypes, statuses } = selection;
  const conditions = join(
    [
      ...rangeOf(selection, 'd'),
      sql`d.organization_id = ${organizationId}::uuid AND NOT d.is_test`,
      // However the clock runs, what it made itself is not part of it.
      sql`(d.replay_id IS NULL OR d.replay_id <> ${selection.id}::uuid)`,
      ...(subscriptionId === null ? [] : [sql`d.subscription_id = ${subscriptionId}::uuid`]),
      ...(eventTypes.length === 0 ? [] : [sql`d.event_type = ANY (${eventTypes}::text[])`]),
      sql`NOT EXISTS (SELECT FROM deliveries later WHERE later.organization_id = d.organization_id
        AND later.event_id = d.event_id AND later.subscription_id = d.subscription_id AND later.id > d.id)`,
      sql`EXISTS (SELECT FROM webhook_subscriptions s
        WHERE s.organization_id = d.organization_id AND s.id = d.subscription_id AND s.deleted_at IS NULL)`,
      sql`EXISTS (SELECT FROM events e
        WHERE e.organization_id = d.organization_id AND e.id = d.event_id AND e.body IS NOT NULL)`,
    ],
    ' AND ',
  );
  const branches = Object.values(DeliveryStatus)
    .filter((status) => statuses.includes(status))
    .map(
      (status) => sql`(
        SELECT d.id, d.subscription_id, d.event_id, d.event_type, d.id AS replay_of_id FROM deliveries d
        WHERE ${conditions} AND d.status = ${raw(`'${status}'`)} ORDER BY d.id LIMIT ${limit}::int)`,
    );
  return sql`SELECT * FROM (${join(branches, ' UNION ALL ')}) AS source ORDER BY id LIMIT ${limit}::int`;
}

/** What was sent as a test was for one subscription alone. */
function selectMissing(selection: ReplaySelection, limit: number): Sql {
  const { organizationId, subscriptionId, eventTypes } = selection;
  const conditions = join(
    [
      ...rangeOf(selection, 'e'),
      sql`e.organization_id = ${organizationId}::uuid AND e.type <> 'webhook.test' AND e.body IS NOT NULL`,
      ...(eventTypes.length === 0 ? [] : [sql`e.type = ANY (${eventTypes}::text[])`]),
      sql`NOT EXISTS (SELECT FROM deliveries d WHERE d.organization_id = e.organization_id
        AND d.event_id = e.id AND (d.subscription_id = ${subscriptionId}::uuid OR d.is_test))`,
    ],
    ' AND ',
  );
  return sql`
    SELECT e.id, ${subscriptionId}::uuid AS subscription_id, e.id AS event_id, e.type AS event_type, NULL::uuid AS replay_of_id
    FROM events e WHERE ${conditions} ORDER BY e.id LIMIT ${limit}::int`;
}

function rangeOf({ position, until }: ReplaySelection, table: 'd' | 'e'): readonly Sql[] {
  const id = raw(`${table}.id`);
  return [sql`${id} > ${position}::uuid`, sql`${id} < ${lowestUuidAt(until)}::uuid`];
}

/** Puts a delivery that was made beside emit at the end of the order of its key, where its subscription has one. */
export function putInOrder(organizationId: string, deliveryId: string): Sql {
  return sql`
    UPDATE deliveries d SET ordering_key = optio.ordering_key(s.ordered_by, e.body, e.id), ordering_position = nextval('optio.delivery_order')
    FROM webhook_subscriptions s, events e
    WHERE d.organization_id = ${organizationId}::uuid AND d.id = ${deliveryId}::uuid AND s.ordered_by IS NOT NULL
      AND s.organization_id = d.organization_id AND s.id = d.subscription_id
      AND e.organization_id = d.organization_id AND e.id = d.event_id`;
}

/** How many there are to replay, up to a limit. */
export function countSources(selection: ReplaySelection, limit: number): Sql {
  return sql`SELECT count(*)::int AS counted FROM (${selectSources(selection, limit)}) AS sources`;
}

/** Locks a replay that has something to do now; nobody else works on it then. */
export const LOCK_REPLAY = `
  SELECT organization_id AS "organizationId", id, missing, subscription_id AS "subscriptionId", event_types AS "eventTypes",
    statuses::text[] AS statuses, until, position, rate_per_second AS "ratePerSecond",
    ${MAX_OPEN} - (SELECT count(*)::int FROM (SELECT FROM deliveries d
      WHERE d.replay_id = r.id AND d.completed_at IS NULL LIMIT ${MAX_OPEN}) AS open) AS room
  FROM replays r
  WHERE organization_id = $1 AND id = $2 AND state = 'RUNNING' AND next_at <= $3
  FOR UPDATE SKIP LOCKED`;

export type LockedReplay = ReplaySelection & Pick<Replay, 'ratePerSecond'> & { readonly room: number };

/**
 * Makes the next deliveries of a locked replay, and moves its position on, in one statement: a worker that is killed has
 * done both or neither. Answers the lanes that have something to send.
 */
export function replayPiece(replay: LockedReplay, limit: number, now: Date): Sql {
  const { organizationId, id } = replay;
  const nextAt = new Date(now.getTime() + Math.ceil((limit * 1_000) / replay.ratePerSecond));
  return sql`
    WITH source AS MATERIALIZED (${selectSources(replay, limit)}),
    inserted AS (
      INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at, replay_of_id, replay_id, ordering_key, ordering_position)
      SELECT s.organization_id, optio.uuid_v7(), s.id, source.event_id, source.event_type,
        CASE s.status WHEN 'ACTIVE' THEN 'PENDING' ELSE 'HELD' END::"DeliveryStatus",
        CASE s.status WHEN 'ACTIVE' THEN ${now}::timestamptz END, source.replay_of_id, ${id}::uuid,
        CASE WHEN s.ordered_by IS NOT NULL THEN optio.ordering_key(s.ordered_by, e.body, e.id) END,
        CASE WHEN s.ordered_by IS NOT NULL THEN nextval('optio.delivery_order') END
      FROM source
      JOIN webhook_subscriptions s
        ON s.organization_id = ${organizationId}::uuid AND s.id = source.subscription_id AND s.deleted_at IS NULL
      JOIN events e ON e.organization_id = ${organizationId}::uuid AND e.id = source.event_id
      ORDER BY source.id
      RETURNING organization_id, id, subscription_id, event_type, status
    ), logged AS (
      INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
      SELECT organization_id, id, 1, subscription_id, event_type, status, 0 FROM inserted
    ), seen AS (
      SELECT count(*)::int AS count, (array_agg(id ORDER BY id DESC))[1] AS last FROM source
    ), moved AS (
      UPDATE replays SET
        position = coalesce(seen.last, position), replayed = replayed + (SELECT count(*) FROM inserted), version = version + 1,
        next_at = ${nextAt}::timestamptz,
        state = CASE WHEN seen.count < ${limit}::int THEN 'COMPLETED' ELSE state END,
        ended_at = CASE WHEN seen.count < ${limit}::int THEN ${now}::timestamptz END
      FROM seen WHERE organization_id = ${organizationId}::uuid AND replays.id = ${id}::uuid
    )
    SELECT DISTINCT subscription_id AS "subscriptionId" FROM inserted WHERE status = 'PENDING'`;
}

/** Replays as they are, by organization and id. Plan: the primary key. */
export const READ_REPLAYS = `
  SELECT organization_id AS "organizationId", id, state::text AS state, user_id AS "userId", client_id AS "clientId", missing,
    subscription_id AS "subscriptionId", event_types AS "eventTypes", statuses::text[] AS statuses, since, until,
    rate_per_second AS "ratePerSecond", total, replayed, position, next_at AS "nextAt", version, created_at AS "createdAt",
    ended_at AS "endedAt"
  FROM replays
  WHERE (organization_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`;

/** Replays with something to do, the longest due first. Plan: replays_running. */
export const FIND_RUNNING = `
  SELECT organization_id AS "organizationId", id AS "replayId" FROM replays
  WHERE state = 'RUNNING' AND next_at <= $1 ORDER BY next_at LIMIT $2`;

/** Cancels what of a replay has not ended, MAX_OPEN at most; locked in the order in which settlement locks. */
export function cancelOpen(organizationId: string, replayId: string, now: Date): Sql {
  return sql`
    WITH cancelled AS (
      UPDATE deliveries SET status = 'CANCELLED', due_at = NULL, completed_at = ${now}::timestamptz, version = version + 1
      WHERE organization_id = ${organizationId}::uuid AND id = ANY (ARRAY(
        SELECT id FROM deliveries
        WHERE organization_id = ${organizationId}::uuid AND replay_id = ${replayId}::uuid AND completed_at IS NULL
        ORDER BY id FOR NO KEY UPDATE))
      RETURNING *
    )
    INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
    SELECT organization_id, id, version, subscription_id, event_type, status, attempt_count FROM cancelled`;
}
