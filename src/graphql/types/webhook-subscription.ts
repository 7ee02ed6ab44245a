/** Webhook subscriptions: where deliveries go. */
import {
  type WebhookSecret,
  type WebhookSubscriptionHealth,
  WebhookSubscriptionStatus,
} from '../../generated/prisma/client.ts';
import { shownHeaders } from '../../webhooks/subscription-headers.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId } from '../global-id.ts';
import { type DeliveryFilterInput, parseDeliveryFilter } from './delivery-filter.ts';

/** Registers WebhookSubscription and its connection. */
export function addWebhookSubscription(builder: Builder, deliveryFilter: DeliveryFilterInput): void {
  builder.prismaObject('WebhookSubscription', {
    description: 'A target URL with the event types it wants.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('WebhookSubscription', id) }),
      organization: t.field({
        type: 'Organization',
        description: 'The organization it belongs to.',
        resolve: ({ organizationId }) => ({ id: organizationId }),
      }),
      targetUrl: t.expose('targetUrl', { type: 'URL', description: 'Where its deliveries go.' }),
      description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
      eventTypes: t.exposeStringList('eventTypes', {
        description: 'The event types it wants; "*" stands for all.',
      }),
      status: t.expose('status', {
        type: WebhookSubscriptionStatus,
        description: 'Whether it is sent what it wants.',
      }),
      disabledReason: t.exposeString('disabledReason', {
        nullable: true,
        description: 'Why it was disabled; null if it is not.',
      }),
      disabledAt: t.expose('disabledAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it was disabled; null if it is not.',
      }),
      version: t.exposeInt('version', {
        description: 'Counts its changes, from 1; give it as `expectedVersion`.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
      updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its settings last changed.' }),
      deletedAt: t.expose('deletedAt', {
        type: 'DateTime',
        nullable: true,
        description:
          'When it was deleted; null if it is not. A deleted one is reached only from its deliveries.',
      }),
    }),
  });
  addSettings(builder);
  addSecrets(builder);
  addHealth(builder);
  addDeliveries(builder, deliveryFilter);
  builder.connectionObject(
    {
      type: 'WebhookSubscription',
      name: 'WebhookSubscriptionConnection',
      description: 'A page of webhook subscriptions.',
    },
    { name: 'WebhookSubscriptionEdge', description: 'A webhook subscription in a list.' },
  );
}

function addSettings(builder: Builder): void {
  builder.prismaObjectFields('WebhookSubscription', (t) => ({
    customHeaders: t.field({
      type: ['Header'],
      description: 'The headers that every delivery carries beside ours; credentials masked.',
      resolve: (subscription, _args, { features }) => [
        ...shownHeaders(features().context.keys, subscription),
      ],
    }),
    maxConcurrency: t.exposeInt('maxConcurrency', {
      description: 'How many attempts at most are under way at the same time.',
    }),
    rateLimitPerSecond: t.exposeInt('rateLimitPerSecond', {
      nullable: true,
      description: 'How many attempts at most begin within a second; null: no limit.',
    }),
    retrySeconds: t.exposeIntList('retrySeconds', {
      description: "The delays before each retry, in seconds; empty: the server's schedule.",
    }),
    timeoutSeconds: t.exposeInt('timeoutSeconds', {
      nullable: true,
      description: "How long an attempt may take in all; null: the server's time limit.",
    }),
    orderedBy: t.exposeString('orderedBy', {
      nullable: true,
      description:
        'What its deliveries are ordered by: a path in the envelope, such as data.user_id. Those with the same value there are sent one after the other; null: in no order.',
    }),
  }));
}

function addSecrets(builder: Builder): void {
  const secret = builder
    .objectRef<Pick<WebhookSecret, 'createdAt' | 'expiresAt'>>('WebhookSecret')
    .implement({
      description: 'A secret that signs deliveries. It is shown once, when it is made, and never again.',
      fields: (t) => ({
        createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
        expiresAt: t.expose('expiresAt', {
          type: 'DateTime',
          nullable: true,
          description: 'When it ends signing, after a rotation; null for the newest.',
        }),
      }),
    });
  builder.prismaObjectFields('WebhookSubscription', (t) => ({
    secrets: t.field({
      type: [secret],
      description: 'The secrets that sign its deliveries, newest first.',
      // A rotation leaves two at most.
      select: {
        secrets: { select: { createdAt: true, expiresAt: true }, orderBy: { id: 'desc' }, take: 10 },
      },
      resolve: ({ secrets }) => secrets,
    }),
  }));
}

type Health = Omit<WebhookSubscriptionHealth, 'organizationId' | 'subscriptionId'>;

const NOTHING_YET: Health = {
  consecutiveFailures: 0,
  failingSince: null,
  lastSuccessAt: null,
  lastFailureAt: null,
};

/** Failures from before it was resumed do not count any more. */
function sinceActive(health: Health, activeSince: Date | null): Health {
  const { failingSince } = health;
  if (activeSince === null || failingSince === null || failingSince >= activeSince) return health;
  return { ...health, consecutiveFailures: 0, failingSince: null };
}

function addHealth(builder: Builder): void {
  const health = builder.objectRef<Health>('SubscriptionHealth').implement({
    description: 'How well the target of a webhook subscription answers.',
    fields: (t) => ({
      consecutiveFailures: t.exposeInt('consecutiveFailures', {
        description: 'How many deliveries have failed since the last success.',
      }),
      failingSince: t.expose('failingSince', {
        type: 'DateTime',
        nullable: true,
        description:
          'Since when there were only failures; null if the last attempt succeeded, or there was none.',
      }),
      lastSuccessAt: t.expose('lastSuccessAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When an attempt last succeeded; null if none did.',
      }),
      lastFailureAt: t.expose('lastFailureAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When an attempt last failed; null if none did.',
      }),
    }),
  });
  builder.prismaObjectFields('WebhookSubscription', (t) => ({
    health: t.field({
      type: health,
      description: 'How well its target answers.',
      select: { health: true, activeSince: true },
      resolve: ({ health: found, activeSince }) =>
        found === null ? NOTHING_YET : sinceActive(found, activeSince),
    }),
  }));
}

function addDeliveries(builder: Builder, filter: DeliveryFilterInput): void {
  builder.prismaObjectFields('WebhookSubscription', (t) => ({
    deliveries: t.field({
      type: 'DeliveryConnection',
      description: 'Its deliveries, newest first.',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async ({ id }, args, { features }) => {
        const { loaders } = features();
        const page = parsePage(args);
        const question = { kind: 'subscription', filter: parseDeliveryFilter(args.filter) } as const;
        const found = await loaders.deliveriesOf({ ...question, page })(id);
        const count = async () =>
          (await loaders.deliveryCountOf(question)(id)) ?? { value: 0, isExact: true };
        return toConnection(found ?? { items: [], hasMore: false }, page, (delivery) => delivery.id, count);
      },
    }),
  }));
}
