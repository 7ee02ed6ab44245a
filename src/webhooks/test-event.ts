/** Test events: one event to one subscription, whatever its types and state, to see whether its receiver works. */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize } from '../accounts/viewer.ts';
import { beginning } from '../audit/difference.ts';
import { envelope } from '../events/envelope.ts';
import { findEventType } from '../events/event-type.ts';
import type { Delivery } from '../generated/prisma/client.ts';
import { validationError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { MAY_WRITE, type WebhookContext } from './context.ts';
import { findDelivery } from './delivery.ts';
import { findSubscription } from './subscription.ts';
import { recordSubscription } from './subscription-audit.ts';

export type TestRequest = {
  readonly subscriptionId: string;
  readonly eventType?: string | undefined;
  /** The same key within 24 hours sends nothing more. 1 to 200 characters. */
  readonly idempotencyKey?: string | undefined;
};

export type SentTest = {
  readonly delivery: Delivery;
  /** It was sent before, under the same idempotency key. */
  readonly deduplicated: boolean;
};

const SENT = z.object({ id: z.string() });

/** Sends `webhook.test`, or the example of another event type, and answers the delivery. */
export async function sendTestEvent(
  context: WebhookContext,
  { idempotencyKey, ...input }: TestRequest,
): Promise<SentTest> {
  authorize(context.viewer, MAY_WRITE);
  const event = testEvent(context, input.eventType ?? 'webhook.test');
  const request = { operation: 'sendTestEvent', key: idempotencyKey, input, answer: SENT };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () =>
      deliver(unit, context, event, input.subscriptionId),
    );
    return {
      delivery: await findDelivery(unit.tx, context.viewer.organizationId, answer.id),
      deduplicated,
    };
  });
}

function testEvent(context: WebhookContext, eventType: string) {
  const { organizationId } = context.viewer;
  const { type, data } = testData(context, eventType);
  const occurredAt = context.clock.now();
  const body = envelope({ type, occurredAt, data, organizationId });
  return { organizationId, id: newId(), type, occurredAt, body };
}

async function deliver(
  { tx, afterCommit }: Unit,
  context: WebhookContext,
  event: ReturnType<typeof testEvent>,
  toSubscription: string,
): Promise<z.infer<typeof SENT>> {
  const { organizationId } = event;
  const subscription = await findSubscription(tx, organizationId, toSubscription);
  const { id: subscriptionId } = subscription;
  await tx.event.create({ data: event });
  const { id } = await tx.delivery.create({
    data: {
      organizationId,
      id: newId(),
      subscriptionId,
      eventId: event.id,
      eventType: event.type,
      status: 'PENDING',
      dueAt: event.occurredAt,
      isTest: true,
    },
  });
  await tx.$executeRaw`SELECT optio.log_deliveries(${organizationId}::uuid, ARRAY[${id}]::uuid[])`;
  await recordSubscription(tx, context, subscription, {
    action: 'webhook_subscription.tested',
    changes: beginning({ event_type: event.type, delivery_id: id }),
  });
  afterCommit(() => context.wakeLanes(organizationId, [subscriptionId]));
  return { id };
}

function testData({ viewer }: WebhookContext, name: string) {
  const type = findEventType(name);
  if (type === undefined) {
    throw validationError([
      { path: ['event_type'], message: `There is no event type ${JSON.stringify(name.slice(0, 200))}.` },
    ]);
  }
  if (type.name !== 'webhook.test') return { type: type.name, data: type.example };
  const requestedBy = viewer.userId ?? viewer.clientId ?? 'unknown';
  return { type: type.name, data: { message: 'Hello from Optio Connect.', requested_by: requestedBy } };
}
