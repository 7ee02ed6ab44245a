/** Test events: one event to one subscription, whatever its types and state, to see whether its receiver works. */
import { authorize } from '../accounts/viewer.ts';
import { beginning } from '../audit/difference.ts';
import { envelope } from '../events/envelope.ts';
import { findEventType } from '../events/event-type.ts';
import type { Delivery } from '../generated/prisma/client.ts';
import { validationError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import { MAY_WRITE, type WebhookContext } from './context.ts';
import { findSubscription } from './subscription.ts';
import { recordSubscription } from './subscription-audit.ts';

/** Sends `webhook.test`, or the example of another event type, and answers the delivery. */
export async function sendTestEvent(
  context: WebhookContext,
  input: { readonly subscriptionId: string; readonly eventType?: string | undefined },
): Promise<Delivery> {
  authorize(context.viewer, MAY_WRITE);
  const { organizationId } = context.viewer;
  const { type, data } = testData(context, input.eventType ?? 'webhook.test');
  const occurredAt = context.clock.now();
  const event = {
    organizationId,
    id: newId(),
    type,
    occurredAt,
    body: envelope({ type, occurredAt, data, organizationId }),
  };
  return context.write(async ({ tx, afterCommit }) => {
    const subscription = await findSubscription(tx, organizationId, input.subscriptionId);
    const subscriptionId = subscription.id;
    await tx.event.create({ data: event });
    const delivery = await tx.delivery.create({
      data: {
        organizationId,
        id: newId(),
        subscriptionId,
        eventId: event.id,
        eventType: type,
        status: 'PENDING',
        dueAt: occurredAt,
        isTest: true,
      },
    });
    await tx.$executeRaw`SELECT optio.log_deliveries(${organizationId}::uuid, ARRAY[${delivery.id}]::uuid[])`;
    await recordSubscription(tx, context, subscription, {
      action: 'webhook_subscription.tested',
      changes: beginning({ event_type: type, delivery_id: delivery.id }),
    });
    afterCommit(() => context.wakeLanes(organizationId, [subscriptionId]));
    return delivery;
  });
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
