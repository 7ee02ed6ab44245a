/** Replays one delivery: a new one of the same event to the same subscription, under an id of its own (webhooks rule 24). */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize } from '../accounts/viewer.ts';
import { beginning } from '../audit/difference.ts';
import { record } from '../audit/record.ts';
import type { Delivery } from '../generated/prisma/client.ts';
import { AppError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { MAY_WRITE, type WebhookContext } from './context.ts';
import { findDelivery, requireEvent } from './delivery.ts';
import { putInOrder } from './replay-sql.ts';
import { findSubscription } from './subscription.ts';

export type ReplayedDelivery = {
  readonly delivery: Delivery;
  /** It was replayed before, under the same idempotency key. */
  readonly deduplicated: boolean;
};

const REPLAYED = z.object({ id: z.string() });

/**
 * Answers the new delivery: sent at once, or held while its subscription is not active. CONFLICT for one that has not
 * ended (it is sent anyhow), whose subscription was deleted, or whose event is no longer kept.
 */
export async function replayDelivery(
  context: WebhookContext,
  { id, idempotencyKey }: { readonly id: string; readonly idempotencyKey?: string | undefined },
): Promise<ReplayedDelivery> {
  authorize(context.viewer, MAY_WRITE);
  const { organizationId } = context.viewer;
  const request = { operation: 'replayDelivery', key: idempotencyKey, input: { id }, answer: REPLAYED };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () => replay(unit, context, id));
    return { delivery: await findDelivery(unit.tx, organizationId, answer.id), deduplicated };
  });
}

async function replay(
  { tx, afterCommit }: Unit,
  context: WebhookContext,
  deliveryId: string,
): Promise<z.infer<typeof REPLAYED>> {
  const { organizationId } = context.viewer;
  const original = await findDelivery(tx, organizationId, deliveryId);
  if (original.completedAt === null) {
    throw new AppError(
      'CONFLICT',
      'The delivery has not ended: it is sent anyhow. To send it now, retry it.',
    );
  }
  const { subscriptionId, eventId, eventType, isTest } = original;
  const subscription = await findSubscription(tx, organizationId, subscriptionId).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'NOT_FOUND')
      throw new AppError('CONFLICT', 'The webhook subscription of the delivery was deleted.');
    throw error;
  });
  await requireEvent(tx, original);
  const goesOut = subscription.status === 'ACTIVE' || isTest;
  const now = context.clock.now();
  const { id } = await tx.delivery.create({
    data: {
      organizationId,
      id: newId(),
      subscriptionId,
      eventId,
      eventType,
      isTest,
      status: goesOut ? 'PENDING' : 'HELD',
      dueAt: goesOut ? now : null,
      replayOfId: original.id,
    },
  });
  await tx.$executeRaw`${putInOrder(organizationId, id)}`;
  await tx.$executeRaw`SELECT optio.log_deliveries(${organizationId}::uuid, ARRAY[${id}]::uuid[])`;
  await record(tx, context, now, {
    action: 'delivery.replayed',
    target: { type: 'Delivery', id: original.id, label: eventType },
    changes: beginning({ delivery_id: id }),
  });
  if (goesOut) afterCommit(() => context.wakeLanes(organizationId, [subscriptionId]));
  return { id };
}
