/** Which deliveries a list is about, as SQL. By hand, so that the database sees which indexes serve it. */
import { DeliveryStatus, Prisma } from '../generated/prisma/client.ts';
import { isUuid, lowestUuidAt } from '../lib/ids.ts';
import { searchable } from '../lib/text.ts';
import type { WebhookContext } from './context.ts';

export type DeliveryFilter = {
  readonly statuses?: readonly DeliveryStatus[] | undefined;
  readonly subscriptionId?: string | undefined;
  readonly eventId?: string | undefined;
  readonly eventType?: string | undefined;
  /** Those that this replay made. */
  readonly replayId?: string | undefined;
  /** Created at this time or later. */
  readonly since?: Date | undefined;
  /** Created before this time. */
  readonly until?: Date | undefined;
};

// Of the largest page, and the one that tells whether there are others.
const PAGE_ROWS = 101;

const DELIVERY_COLUMNS = Prisma.raw(`
  organization_id AS "organizationId", id, subscription_id AS "subscriptionId", event_id AS "eventId",
  event_type AS "eventType", status::text AS status, due_at AS "dueAt", attempt_count AS "attemptCount",
  schedule_start AS "scheduleStart", version, last_response_code AS "lastResponseCode", last_error AS "lastError",
  completed_at AS "completedAt", replay_of_id AS "replayOfId", replay_id AS "replayId", is_test AS "isTest"`);

/**
 * The viewer's deliveries that the filter lets through, at most `take` of them, in order of their ids; `parent` is one
 * more condition. One branch for each status: to each belongs an index of its own, which a list of several would miss.
 * Inside, the limit is a literal: of a parameter PostgreSQL assumes a tenth of the table, and then it plans each time
 * anew, which is wanted where it has to look at the values. It is one for all pages, which end at `take`, so that whoever
 * asks for other sizes makes no new statements.
 */
export function selectDeliveries(
  context: WebhookContext,
  filter: DeliveryFilter,
  {
    id = {},
    take,
    order,
    parent = Prisma.sql`true`,
    ofEachSubscription = false,
    columns = DELIVERY_COLUMNS,
  }: Selection,
): Prisma.Sql {
  const isNewest = order !== undefined && areNewestOfOne(filter, id);
  const conditions = Prisma.join(
    [...conditionsOf(context, filter, isNewest), ...bounds(id), parent],
    ' AND ',
  );
  const sortedBy = (subscriptionId: string) =>
    Prisma.raw(
      order === undefined
        ? ''
        : `ORDER BY ${ofEachSubscription || isNewest ? `${subscriptionId} ${order}, ` : ''}id ${order}`,
    );
  const literal = Prisma.raw(String(Math.ceil(take / PAGE_ROWS) * PAGE_ROWS));
  const planned = !isNewest && dependsOnValues(filter) ? Prisma.sql`${take}` : literal;
  const branches = statusesOf(filter).map(
    (status) =>
      Prisma.sql`SELECT ${columns} FROM deliveries WHERE ${conditions} AND ${status} ${sortedBy('subscription_id')} LIMIT ${planned}`,
  );
  const union = Prisma.join(branches, ') UNION ALL (');
  return Prisma.sql`SELECT * FROM ((${union})) AS selected ${sortedBy('"subscriptionId"')} LIMIT ${take}`;
}

/**
 * Whether a plan that is right for one value is wrong for another: of what has much, the newest are found soonest among
 * those of all; of what has little, that would read all of them.
 */
function dependsOnValues({ subscriptionId, replayId }: DeliveryFilter): boolean {
  return subscriptionId !== undefined || replayId !== undefined;
}

/** The newest of one subscription: asked for as a range, and sorted by it, they are found by its own index, whatever it has. */
function areNewestOfOne(filter: DeliveryFilter, id: IdBounds): boolean {
  const { subscriptionId, eventId, replayId } = filter;
  return (
    subscriptionId !== undefined && eventId === undefined && replayId === undefined && areNewest(filter, id)
  );
}

/**
 * Whether the list begins with the newest of any status. For one status there are indexes that serve as they are, and where
 * ids are bounded (further pages, a span of time) only an equality lets the scan begin there.
 */
export function areNewest({ statuses, since, until }: DeliveryFilter, { lt, gt }: IdBounds): boolean {
  return [statuses, since, until, lt, gt].every((bound) => bound === undefined);
}

type IdBounds = { readonly lt?: string; readonly gt?: string };

export type Selection = {
  readonly id?: IdBounds;
  readonly take: number;
  readonly order?: 'asc' | 'desc';
  readonly parent?: Prisma.Sql;
  /** `parent` is a range of one subscription: to sort by that, too, leaves the one index that begins with it. */
  readonly ofEachSubscription?: boolean;
  readonly columns?: Prisma.Sql;
};

function conditionsOf(
  { viewer }: WebhookContext,
  filter: DeliveryFilter,
  asRange: boolean,
): readonly Prisma.Sql[] {
  const { subscriptionId, eventId, eventType, replayId, since, until } = filter;
  const parts = [Prisma.sql`organization_id = ${viewer.organizationId}::uuid`];
  if (subscriptionId !== undefined && asRange) parts.push(rangeOfSubscription(subscriptionId));
  else if (subscriptionId !== undefined) parts.push(equalsId('subscription_id', subscriptionId));
  if (eventId !== undefined) parts.push(equalsId('event_id', eventId));
  if (eventType !== undefined) parts.push(Prisma.sql`event_type = ${searchable(eventType)}`);
  if (replayId !== undefined) parts.push(equalsId('replay_id', replayId));
  // The id holds the time of creation.
  if (since !== undefined) parts.push(Prisma.sql`id >= ${lowestUuidAt(since)}::uuid`);
  if (until !== undefined) parts.push(Prisma.sql`id < ${lowestUuidAt(until)}::uuid`);
  return parts;
}

function bounds({ lt, gt }: IdBounds): readonly Prisma.Sql[] {
  return [
    ...(lt === undefined ? [] : [Prisma.sql`id < ${lt}::uuid`]),
    ...(gt === undefined ? [] : [Prisma.sql`id > ${gt}::uuid`]),
  ];
}

/**
 * As literals: of a parameter PostgreSQL does not know, when it plans, which index it stands for. That what waits is due
 * goes without saying, but it has to be told to find that in deliveries_waiting.
 */
function statusesOf({ statuses }: DeliveryFilter): readonly Prisma.Sql[] {
  if (statuses === undefined) return [Prisma.sql`true`];
  const known = Object.values(DeliveryStatus).filter((status) => statuses.includes(status));
  if (known.length === 0) return [Prisma.sql`false`];
  return known.map((status) => {
    const isWaiting = status === 'PENDING' || status === 'RETRYING';
    return Prisma.raw(`status = '${status}'${isWaiting ? ' AND due_at IS NOT NULL' : ''}`);
  });
}

function equalsId(column: 'subscription_id' | 'event_id' | 'replay_id', id: string): Prisma.Sql {
  return isUuid(id) ? Prisma.sql`${Prisma.raw(column)} = ${id}::uuid` : Prisma.sql`false`;
}

function rangeOfSubscription(id: string): Prisma.Sql {
  return isUuid(id) ? Prisma.sql`subscription_id BETWEEN ${id}::uuid AND ${id}::uuid` : Prisma.sql`false`;
}
