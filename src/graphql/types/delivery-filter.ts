/** Which deliveries a list shows. */
import { DeliveryStatus } from '../../generated/prisma/client.ts';
import type { DeliveryFilter } from '../../webhooks/delivery-filter.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import { given } from '../mutation.ts';

export type DeliveryFilterInput = ReturnType<typeof addDeliveryFilter>;

/** Registers the input type. */
export function addDeliveryFilter(builder: Builder) {
  return builder.inputType('DeliveryFilter', {
    description: 'Which deliveries. All conditions have to hold.',
    fields: (t) => ({
      statuses: t.field({ type: [DeliveryStatus], description: 'Those in one of these states.' }),
      subscriptionId: t.id({ description: 'Those to this webhook subscription.' }),
      eventId: t.id({ description: 'Those of this event.' }),
      eventType: t.string({ description: 'Those of events of this type.' }),
      replayId: t.id({ description: 'Those that this replay made.' }),
      since: t.field({ type: 'DateTime', description: 'Those that were created at this time or later.' }),
      until: t.field({ type: 'DateTime', description: 'Those that were created before this time.' }),
    }),
  });
}

/** The filter in the feature's form. An id of anything else matches nothing. */
export function parseDeliveryFilter(
  filter: DeliveryFilterInput['$inferInput'] | null | undefined,
): DeliveryFilter {
  const subscriptionId = given(filter?.subscriptionId);
  const eventId = given(filter?.eventId);
  const replayId = given(filter?.replayId);
  return {
    statuses: given(filter?.statuses),
    subscriptionId: subscriptionId === undefined ? undefined : localId('WebhookSubscription', subscriptionId),
    eventId: eventId === undefined ? undefined : localId('Event', eventId),
    eventType: given(filter?.eventType),
    replayId: replayId === undefined ? undefined : localId('Replay', replayId),
    since: given(filter?.since),
    until: given(filter?.until),
  };
}
