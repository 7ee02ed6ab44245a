/** The delivery log: list, look at one with its attempts, send one again, cancel one. */
import { authorize } from '../accounts/viewer.ts';
import type { AuditAction } from '../audit/action.ts';
import { difference } from '../audit/difference.ts';
import { record } from '../audit/record.ts';
import type { Delivery, DeliveryAttempt, DeliveryStatus } from '../generated/prisma/client.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import { type Page, type PageRequest, pageQuery, toPage } from '../lib/page.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { MAY_READ, MAY_WRITE, type WebhookContext } from './context.ts';
import { type DeliveryFilter, selectDeliveries } from './delivery-filter.ts';
import { uncountFailure } from './statistics-sql.ts';
import { findSubscription } from './subscription.ts';
import { requireVersion } from './version.ts';

/** The viewer's deliveries, newest first. */
export async function listDeliveries(
  context: WebhookContext,
  filter: DeliveryFilter,
  page: PageRequest,
): Promise<Page<Delivery>> {
  authorize(context.viewer, MAY_READ);
  const rows = await context.read((tx) =>
    tx.rows<Delivery>(selectDeliveries(context, filter, pageQuery(page))),
  );
  return toPage(rows, page);
}

/** One delivery; NOT_FOUND for one of another organization as for one that never was. */
export async function getDelivery(context: WebhookContext, id: string): Promise<Delivery> {
  authorize(context.viewer, MAY_READ);
  return context.read((tx) => findDelivery(tx, context.viewer.organizationId, id));
}

/** The attempts of a delivery, first one first; at most the last 100. */
export async function listAttempts(
  context: WebhookContext,
  deliveryId: string,
): Promise<readonly DeliveryAttempt[]> {
  authorize(context.viewer, MAY_READ);
  const where = { organizationId: context.viewer.organizationId, deliveryId };
  const rows = await context.read((tx) =>
    tx.deliveryAttempt.findMany({ where, orderBy: { number: 'desc' }, take: 100 }),
  );
  return rows.toReversed();
}

/**
 * Tries a delivery again, now, under the same id; its retry schedule begins anew. One that waits is sent at once
 * instead of later; one that failed or was cancelled is taken up again. CONFLICT for one that succeeded, which its
 * receiver would know by its id (that is what a replay is for), and while its subscription is not active.
 */
export async function retryDelivery(
  context: WebhookContext,
  id: string,
  expectedVersion?: number,
): Promise<Delivery> {
  authorize(context.viewer, MAY_WRITE);
  const { organizationId } = context.viewer;
  return context.write(async ({ tx, afterCommit }) => {
    const delivery = await lockDelivery(tx, organizationId, id);
    requireVersion('Delivery', delivery, expectedVersion);
    if (delivery.status === 'SUCCEEDED') {
      const message =
        'The delivery succeeded: there is nothing to retry. To send its event once more, replay it.';
      throw new AppError('CONFLICT', message);
    }
    const subscription = await findSubscription(tx, organizationId, delivery.subscriptionId);
    if (subscription.status !== 'ACTIVE' && !delivery.isTest) {
      const state = subscription.status.toLowerCase();
      throw new AppError(
        'CONFLICT',
        `The webhook subscription is ${state}; resume it, then its deliveries can be sent.`,
      );
    }
    await requireEvent(tx, delivery);
    await tx.$executeRaw`${uncountFailure(delivery)}`;
    afterCommit(() => context.wakeLanes(organizationId, [delivery.subscriptionId]));
    return changeDelivery(tx, context, delivery, {
      action: 'delivery.retried',
      status: delivery.attemptCount === 0 ? 'PENDING' : 'RETRYING',
      dueAt: context.clock.now(),
      completedAt: null,
      scheduleStart: delivery.attemptCount,
    });
  });
}

/** Cancels a delivery that waits or is held. CONFLICT when it has ended. */
export async function cancelDelivery(
  context: WebhookContext,
  id: string,
  expectedVersion?: number,
): Promise<Delivery> {
  authorize(context.viewer, MAY_WRITE);
  return context.write(async ({ tx }) => {
    const delivery = await lockDelivery(tx, context.viewer.organizationId, id);
    requireVersion('Delivery', delivery, expectedVersion);
    if (delivery.completedAt !== null) {
      throw new AppError('CONFLICT', `The delivery has ended: it ${endWord(delivery.status)}.`);
    }
    return changeDelivery(tx, context, delivery, {
      action: 'delivery.cancelled',
      status: 'CANCELLED',
      dueAt: null,
      completedAt: context.clock.now(),
    });
  });
}

/** A delivery, or NOT_FOUND. */
export async function findDelivery(tx: Tx, organizationId: string, id: string): Promise<Delivery> {
  const delivery = isUuid(id)
    ? await tx.delivery.findUnique({ where: { organizationId_id: { organizationId, id } } })
    : null;
  if (delivery === null) throw new AppError('NOT_FOUND', `There is no delivery ${JSON.stringify(id)}.`);
  return delivery;
}

async function lockDelivery(tx: Tx, organizationId: string, id: string): Promise<Delivery> {
  if (isUuid(id)) {
    await tx.$queryRaw`SELECT FROM deliveries WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
  }
  return findDelivery(tx, organizationId, id);
}

/** Throws CONFLICT when there is nothing to send any more: a delivery may outlive its event, and that its body. */
export async function requireEvent(tx: Tx, { organizationId, eventId }: Delivery): Promise<void> {
  const where = { organizationId_id: { organizationId, id: eventId } };
  const event = await tx.event.findUnique({ where, select: { body: true } });
  if ((event?.body ?? null) === null)
    throw new AppError('CONFLICT', 'The event of the delivery is past its retention.');
}

type Change = Pick<Delivery, 'status' | 'dueAt' | 'completedAt'> & Partial<Pick<Delivery, 'scheduleStart'>>;

async function changeDelivery(
  tx: Tx,
  context: WebhookContext,
  before: Delivery,
  { action, ...change }: Change & { readonly action: AuditAction },
): Promise<Delivery> {
  const { organizationId, id } = before;
  const data = { ...change, version: { increment: 1 } };
  const changed = await tx.delivery.update({ where: { organizationId_id: { organizationId, id } }, data });
  await tx.$executeRaw`SELECT optio.log_deliveries(${organizationId}::uuid, ARRAY[${id}]::uuid[])`;
  await record(tx, context, context.clock.now(), {
    action,
    target: { type: 'Delivery', id, label: before.eventType },
    changes: difference({ status: before.status }, { status: changed.status }),
  });
  return changed;
}

function endWord(status: DeliveryStatus): string {
  return status === 'CANCELLED' ? 'was cancelled' : status.toLowerCase();
}
