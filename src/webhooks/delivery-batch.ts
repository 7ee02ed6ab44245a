/**
 * What belongs to many deliveries, or the deliveries that belong to many subscriptions or events, in one statement
 * each: as much for one as for a hundred. By hand, because every parent needs a limit of its own (LATERAL).
 */
import { authorize } from '../accounts/viewer.ts';
import {
  type Delivery,
  type DeliveryAttempt,
  Prisma,
  type WebhookSubscription,
} from '../generated/prisma/client.ts';
import { isUuid } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { columnsOf } from '../platform/database/columns.ts';
import { MAY_READ, type WebhookContext } from './context.ts';
import { areNewest, type DeliveryFilter, type Selection, selectDeliveries } from './delivery-filter.ts';

/** An attempt without what was sent and received. */
export type AttemptRecord = Omit<DeliveryAttempt, 'requestHeaders' | 'responseHeaders' | 'responseBody'>;
/** What was sent and received. */
export type AttemptContent = Pick<
  DeliveryAttempt,
  'deliveryId' | 'number' | 'requestHeaders' | 'responseHeaders' | 'responseBody'
>;
export type AttemptKey = { readonly deliveryId: string; readonly number: number };

/** What deliveries belong to. */
export type DeliveryParent = 'subscription' | 'event';

export const MAX_ATTEMPTS = 100;

const ATTEMPT_COLUMNS = Prisma.raw(`
  organization_id AS "organizationId", delivery_id AS "deliveryId", number, started_at AS "startedAt",
  dns_ms AS "dnsMs", connect_ms AS "connectMs", tls_ms AS "tlsMs", first_byte_ms AS "firstByteMs",
  total_ms AS "totalMs", response_code AS "responseCode", error_kind AS "errorKind", error`);

// All of them: an operation looks at what it likes.
const SUBSCRIPTION_COLUMNS = columnsOf(Prisma.WebhookSubscriptionScalarFieldEnum);

// Of the parent `p` that a list or a count is for.
const PARENT_CONDITIONS = {
  subscription: Prisma.raw('subscription_id = p.id'),
  event: Prisma.raw('event_id = p.id'),
} as const satisfies Record<DeliveryParent, Prisma.Sql>;

/**
 * By equality, PostgreSQL would sooner look for a parent's newest among those of all: wherever one subscription has most of
 * them, and the others next to nothing.
 */
function newestOf(
  kind: DeliveryParent,
  filter: DeliveryFilter,
  page: PageRequest,
): Pick<Selection, 'parent' | 'ofEachSubscription'> {
  const isNewest = kind === 'subscription' && areNewest(filter, pageQuery(page).id);
  if (!isNewest) return { parent: PARENT_CONDITIONS[kind] };
  return { parent: Prisma.raw('subscription_id BETWEEN p.id AND p.id'), ofEachSubscription: true };
}

const COUNTING = { take: MAX_COUNT + 1, columns: Prisma.raw('1') };

/** The viewer's deliveries among these ids. */
export async function findDeliveries(
  context: WebhookContext,
  ids: readonly string[],
): Promise<readonly Delivery[]> {
  authorize(context.viewer, MAY_READ);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.delivery.findMany({ where }));
}

/** The viewer's subscriptions among these ids, deleted ones included: history still refers to them. */
export async function findSubscriptions(
  context: WebhookContext,
  ids: readonly string[],
): Promise<readonly WebhookSubscription[]> {
  authorize(context.viewer, MAY_READ);
  return context.read((tx) =>
    tx.rows<WebhookSubscription>(Prisma.sql`
      SELECT ${SUBSCRIPTION_COLUMNS} FROM webhook_subscriptions
      WHERE organization_id = ${context.viewer.organizationId}::uuid AND id = ANY (${ids.filter(isUuid)}::uuid[])`),
  );
}

/** A page of the deliveries of each parent, newest first. Plan: for each parent an index scan that stops at the limit. */
export async function listDeliveriesOf(
  context: WebhookContext,
  parents: { readonly kind: DeliveryParent; readonly ids: readonly string[] },
  filter: DeliveryFilter,
  page: PageRequest,
): Promise<ReadonlyMap<string, Page<Delivery>>> {
  authorize(context.viewer, MAY_READ);
  const rows = await context.read((tx) =>
    tx.rows<Delivery & { readonly parentId: string }>(Prisma.sql`
      SELECT p.id AS "parentId", d.*
      FROM unnest(${parents.ids}::uuid[]) AS p (id)
      CROSS JOIN LATERAL (
        ${selectDeliveries(context, filter, { ...pageQuery(page), ...newestOf(parents.kind, filter, page) })}
      ) AS d
      ORDER BY d.id ${Prisma.raw(pageQuery(page).order)}`),
  );
  const byParent = Map.groupBy(rows, (row) => row.parentId);
  return new Map(parents.ids.map((parent) => [parent, toPage(byParent.get(parent) ?? [], page)]));
}

/** How many deliveries each parent has, each counted to the same limit. */
export async function countDeliveriesOf(
  context: WebhookContext,
  parents: { readonly kind: DeliveryParent; readonly ids: readonly string[] },
  filter: DeliveryFilter,
): Promise<ReadonlyMap<string, Count>> {
  authorize(context.viewer, MAY_READ);
  const rows = await context.read(
    (tx) => tx.$queryRaw<{ readonly parentId: string; readonly counted: number }[]>`
      SELECT p.id AS "parentId", d.counted
      FROM unnest(${parents.ids}::uuid[]) AS p (id)
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS counted FROM (
          ${selectDeliveries(context, filter, { ...COUNTING, parent: PARENT_CONDITIONS[parents.kind] })}
        ) AS limited
      ) AS d`,
  );
  return new Map(rows.map(({ parentId, counted }) => [parentId, toCount(counted)]));
}

/** How many deliveries `listDeliveries` would list. */
export async function countDeliveries(context: WebhookContext, filter: DeliveryFilter): Promise<Count> {
  authorize(context.viewer, MAY_READ);
  const rows = await context.read(
    (tx) => tx.$queryRaw<{ readonly counted: number }[]>`
      SELECT count(*)::int AS counted FROM (${selectDeliveries(context, filter, COUNTING)}) AS limited`,
  );
  return toCount(rows[0]?.counted ?? 0);
}

/** The attempts of each delivery, first one first; where there are more than `limit` (at most 100), the latest. */
export async function listAttemptsOf(
  context: WebhookContext,
  deliveryIds: readonly string[],
  limit: number,
): Promise<ReadonlyMap<string, readonly AttemptRecord[]>> {
  authorize(context.viewer, MAY_READ);
  const rows = await context.read((tx) =>
    tx.rows<AttemptRecord>(Prisma.sql`
      SELECT a.*
      FROM unnest(${deliveryIds}::uuid[]) AS d (id)
      CROSS JOIN LATERAL (
        SELECT * FROM (
          SELECT ${ATTEMPT_COLUMNS} FROM delivery_attempts
          WHERE organization_id = ${context.viewer.organizationId}::uuid AND delivery_id = d.id
          ORDER BY number DESC LIMIT ${Prisma.raw(String(MAX_ATTEMPTS))}
        ) AS latest
        ORDER BY number DESC LIMIT ${limit}
      ) AS a
      ORDER BY a.number`),
  );
  return Map.groupBy(rows, (row) => row.deliveryId);
}

/** These attempts of the viewer's deliveries. */
export async function findAttempts(
  context: WebhookContext,
  keys: readonly AttemptKey[],
): Promise<readonly AttemptRecord[]> {
  return selectAttempts(context, keys, ATTEMPT_COLUMNS);
}

/** What was sent and received in these attempts; credentials in the headers were masked when they were stored. */
export async function findAttemptContents(
  context: WebhookContext,
  keys: readonly AttemptKey[],
): Promise<readonly AttemptContent[]> {
  const columns = Prisma.raw(`delivery_id AS "deliveryId", number, request_headers AS "requestHeaders",
    response_headers AS "responseHeaders", response_body AS "responseBody"`);
  return selectAttempts(context, keys, columns);
}

async function selectAttempts<T>(
  context: WebhookContext,
  keys: readonly AttemptKey[],
  columns: Prisma.Sql,
): Promise<readonly T[]> {
  authorize(context.viewer, MAY_READ);
  const known = keys.filter(({ deliveryId }) => isUuid(deliveryId));
  return context.read(
    (tx) => tx.$queryRaw<T[]>`
      SELECT ${columns} FROM delivery_attempts
      WHERE organization_id = ${context.viewer.organizationId}::uuid AND (delivery_id, number) IN (
        SELECT * FROM unnest(${known.map((key) => key.deliveryId)}::uuid[], ${known.map((key) => key.number)}::int[]))`,
  );
}
