/** Deliveries: one event to one webhook subscription. */

import { isPromise } from 'graphql-yoga';
import { type Delivery, DeliveryStatus, type WebhookSubscription } from '../../generated/prisma/client.ts';
import { uuidTime } from '../../lib/ids.ts';
import type { Builder } from '../builder.ts';
import { DEFAULT_SIZE, isSize, parseSize } from '../connection.ts';
import { globalId } from '../global-id.ts';
import type { Loaders } from '../loaders.ts';
import type { AskedField } from '../look-ahead.ts';

/** Registers Delivery and its connection. */
export function addDelivery(builder: Builder): void {
  builder.objectType('Delivery', {
    description: 'One event to one webhook subscription.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Delivery', id) }),
      uuid: t.exposeString('id', {
        description: 'What the receiver sees as X-Optio-Delivery and webhook-id; the same on every attempt.',
      }),
      eventType: t.exposeString('eventType', { description: 'The type of its event.' }),
      status: t.expose('status', { type: DeliveryStatus, description: 'How far it has come.' }),
      attemptCount: t.exposeInt('attemptCount', { description: 'How many attempts were made.' }),
      nextAttemptAt: t.expose('dueAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When the next attempt is due; null unless it waits for one.',
      }),
      lastResponseCode: t.exposeInt('lastResponseCode', {
        nullable: true,
        description: 'The status code of the last answer; null if there was none.',
      }),
      lastError: t.exposeString('lastError', {
        nullable: true,
        description: 'Why the last attempt failed; null if it did not.',
      }),
      isTest: t.exposeBoolean('isTest', { description: 'Whether it was sent on request, as a test.' }),
      version: t.exposeInt('version', { description: 'Counts the changes of its status, from 1.' }),
      createdAt: t.field({
        type: 'DateTime',
        description: 'When it was created.',
        resolve: ({ id }) => new Date(uuidTime(id)),
      }),
      completedAt: t.expose('completedAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it succeeded, failed or was cancelled; null until then.',
      }),
    }),
  });
  addRelations(builder);
  builder.connectionObject(
    { type: 'Delivery', name: 'DeliveryConnection', description: 'A page of deliveries.' },
    { name: 'DeliveryEdge', description: 'A delivery in a list.' },
  );
}

function addRelations(builder: Builder): void {
  builder.objectFields('Delivery', (t) => ({
    event: t.field({
      type: 'Event',
      nullable: true,
      description: 'The event; null once it has passed its retention.',
      resolve: async ({ eventId }, _args, { features }) => (await features().loaders.event(eventId)) ?? null,
    }),
    subscription: t.field({
      type: 'WebhookSubscription',
      description: 'The webhook subscription, even if it was deleted meanwhile.',
      resolve: ({ subscriptionId }, _args, { features }) =>
        once(features().loaders.subscription(subscriptionId), (subscription) =>
          requireSubscription(subscription, subscriptionId),
        ),
    }),
    attempts: t.field({
      type: ['DeliveryAttempt'],
      description: 'The attempts, first one first. If there are more than `first`, the latest of them.',
      args: { first: t.arg.int({ defaultValue: DEFAULT_SIZE, description: 'How many: 0 to 100.' }) },
      resolve: ({ id }, { first }, { features }) =>
        once(features().loaders.attemptsOf(parseSize('first', first))(id), (attempts = []) => [...attempts]),
    }),
    replayOf: t.field({
      type: 'Delivery',
      nullable: true,
      description:
        'The delivery that this one replays; null if it replays none, or that one is past its retention.',
      resolve: async ({ replayOfId }, _args, { features }) =>
        replayOfId === null ? null : ((await features().loaders.delivery(replayOfId)) ?? null),
    }),
  }));
}

/** Webhook subscriptions are marked as deleted, never removed. */
function requireSubscription(subscription: WebhookSubscription | undefined, id: string): WebhookSubscription {
  if (subscription === undefined) throw new Error(`The webhook subscription ${id} of a delivery is gone.`);
  return subscription;
}

/** What becomes of a value: at once, if it is there. */
function once<T, R>(value: T | Promise<T>, act: (value: T) => R): R | Promise<R> {
  return isPromise(value) ? value.then(act) : act(value);
}

/**
 * Loads what is asked of each of these deliveries, so that it is there when they are resolved: hundreds of promises less
 * for a page. What cannot be loaded is asked for again where it is needed, and fails there.
 */
export async function loadAhead(
  deliveries: readonly Delivery[],
  asked: readonly AskedField[],
  { subscription, attemptsOf }: Pick<Loaders, 'subscription' | 'attemptsOf'>,
): Promise<void> {
  const loads = asked.flatMap(({ name, argument }) => {
    if (name === 'subscription')
      return subscription.load(deliveries.map(({ subscriptionId }) => subscriptionId));
    const first = argument('first') ?? DEFAULT_SIZE;
    if (name !== 'attempts' || typeof first !== 'number' || !isSize(first)) return [];
    return attemptsOf(first).load(deliveries.map(({ id }) => id));
  });
  await Promise.allSettled(loads);
}
