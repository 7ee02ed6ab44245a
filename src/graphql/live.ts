/** The live stream of deliveries (webhooks rules 36 to 39): the subscription and what it carries. */
import { DeliveryStatus } from '../generated/prisma/client.ts';
import { MAY_READ } from '../webhooks/context.ts';
import type { UpdateFilter } from '../webhooks/update.ts';
import { access } from './access.ts';
import type { Builder } from './builder.ts';
import { requireViewer } from './context.ts';
import { globalId, localId, type NodeType } from './global-id.ts';
import { given } from './mutation.ts';

/** Registers Subscription.deliveryUpdates and the items of its stream. */
export function addLive(builder: Builder): void {
  addDeliveryUpdated(builder);
  builder.objectType('StreamReady', {
    description: 'The stream is live; it comes once, first or after a gap.',
    fields: (t) => ({
      cursor: t.expose('cursor', {
        type: 'Cursor',
        description: 'Where the stream is; give it as `after` to come back to it.',
      }),
    }),
  });
  addStreamGap(builder);
  const item = builder.unionType('DeliveryStreamItem', {
    description: 'What the stream of deliveries carries.',
    types: ['DeliveryUpdated', 'StreamReady', 'StreamGap'],
    resolveType: ({ kind }) => ITEM_TYPES[kind],
  });
  const filter = addFilter(builder);
  builder.subscriptionField('deliveryUpdates', (t) =>
    t.field({
      ...access(MAY_READ),
      description:
        'Every change of status of the deliveries, as it happens. Ends with an error when the token does.',
      type: item,
      args: {
        organizationId: t.arg.id({
          description: "The global id of the organization; the token's own if left out.",
        }),
        filter: t.arg({ type: filter, description: 'Which changes.' }),
        after: t.arg({
          type: 'Cursor',
          description: 'Everything after this cursor, once and in order, then live; from now on if left out.',
        }),
      },
      subscribe: (_root, { organizationId, filter: wanted, after }, { viewer, subscribeToUpdates }) =>
        subscribeToUpdates(requireViewer(viewer), {
          organizationId: optionalId('Organization', organizationId),
          filter: toFilter(wanted),
          after: given(after),
        }),
      resolve: (streamItem) => streamItem,
    }),
  );
}

const ITEM_TYPES = { update: 'DeliveryUpdated', ready: 'StreamReady', gap: 'StreamGap' } as const;

function addFilter(builder: Builder) {
  return builder.inputType('DeliveryUpdateFilter', {
    description: 'Which changes the stream carries. All conditions have to hold.',
    fields: (t) => ({
      subscriptionId: t.id({ description: 'Those of deliveries to this webhook subscription.' }),
      eventTypes: t.stringList({ description: 'Those of deliveries of events of these types.' }),
      statuses: t.field({ type: [DeliveryStatus], description: 'Those that lead to one of these states.' }),
    }),
  });
}

function toFilter(filter: ReturnType<typeof addFilter>['$inferInput'] | null | undefined): UpdateFilter {
  return {
    subscriptionId: optionalId('WebhookSubscription', filter?.subscriptionId),
    eventTypes: given(filter?.eventTypes),
    statuses: given(filter?.statuses),
  };
}

function addDeliveryUpdated(builder: Builder): void {
  builder.objectType('DeliveryUpdated', {
    description: 'The status of a delivery changed.',
    fields: (t) => ({
      cursor: t.field({
        type: 'Cursor',
        description: 'Where the stream is; give it as `after` to go on from here.',
        resolve: ({ update }) => update.cursor,
      }),
      version: t.int({
        description:
          'Counts the changes of this delivery, from 1: of two changes the higher one is the later.',
        resolve: ({ update }) => update.version,
      }),
      at: t.field({ type: 'DateTime', description: 'When it changed.', resolve: ({ update }) => update.at }),
      deliveryId: t.id({
        description: 'The global id of the delivery.',
        resolve: ({ update }) => globalId('Delivery', update.deliveryId),
      }),
      subscriptionId: t.id({
        description: 'The global id of its webhook subscription.',
        resolve: ({ update }) => globalId('WebhookSubscription', update.subscriptionId),
      }),
      eventType: t.string({
        description: 'The type of its event.',
        resolve: ({ update }) => update.eventType,
      }),
      status: t.field({
        type: DeliveryStatus,
        description: 'Its status now.',
        resolve: ({ update }) => update.status,
      }),
      attemptNumber: t.int({
        description: 'How many attempts were made so far.',
        resolve: ({ update }) => update.attemptNumber,
      }),
      responseCode: t.int({
        nullable: true,
        description: 'The status code of the last answer; null if there was none.',
        resolve: ({ update }) => update.responseCode,
      }),
      durationMs: t.int({
        nullable: true,
        description: 'How long the attempt took that led to it, in milliseconds; null if none did.',
        resolve: ({ update: { durationMs } }) => (durationMs === null ? null : Math.round(durationMs)),
      }),
      error: t.string({
        nullable: true,
        description: 'Why the attempt failed, for people; null if it did not.',
        resolve: ({ update }) => update.error,
      }),
    }),
  });
}

function addStreamGap(builder: Builder): void {
  const reason = builder.enumType('StreamGapReason', {
    description: 'Why a stream cannot go on from a cursor.',
    values: {
      EXPIRED: { description: 'What came after it is no longer kept.' },
      OTHER_DATABASE: { description: 'It is of another database, or of this one before it was restored.' },
    },
  });
  builder.objectType('StreamGap', {
    description:
      'The stream cannot go on from the given cursor: look at the deliveries themselves. It goes on live.',
    fields: (t) => ({
      reason: t.expose('reason', { type: reason, description: 'Why.' }),
      resumeFrom: t.expose('resumeFrom', { type: 'Cursor', description: 'From where it goes on.' }),
    }),
  });
}

function optionalId(type: NodeType, id: string | null | undefined): string | undefined {
  const text = given(id);
  return text === undefined ? undefined : localId(type, text);
}
