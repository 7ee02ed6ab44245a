/** What the resolvers of lists ask for one by one and get together: one statement for all parents of an operation. */
import { getOrganization } from '../accounts/directory.ts';
import { type EventRecord, findEventBodies, findEvents } from '../events/event.ts';
import type { Delivery, Organization, Replay, WebhookSubscription } from '../generated/prisma/client.ts';
import type { Count, Page, PageRequest } from '../lib/page.ts';
import type { WebhookContext } from '../webhooks/context.ts';
import {
  type AttemptContent,
  type AttemptKey,
  type AttemptRecord,
  countDeliveriesOf,
  type DeliveryParent,
  findAttemptContents,
  findAttempts,
  findDeliveries,
  findSubscriptions,
  listAttemptsOf,
  listDeliveriesOf,
} from '../webhooks/delivery-batch.ts';
import type { DeliveryFilter } from '../webhooks/delivery-filter.ts';
import { findReplays } from '../webhooks/replay.ts';
import { type Batch, createBatch, createBatches } from './batch.ts';
import { createLearningLoaders, type LearningLoaders } from './learning-loaders.ts';

/** Which deliveries of each parent. */
export type DeliveriesQuestion = {
  readonly kind: DeliveryParent;
  readonly filter: DeliveryFilter;
  readonly page: PageRequest;
};

export type Loaders = LearningLoaders & {
  /** The viewer's own. Errors: `NOT_FOUND`. */
  readonly organization: () => Promise<Organization>;
  readonly delivery: Batch<Delivery>;
  /** Deleted ones, too. */
  readonly subscription: Batch<WebhookSubscription>;
  readonly event: Batch<EventRecord>;
  readonly eventBody: Batch<string | null>;
  readonly replay: Batch<Replay>;
  /** By `attemptKey`. */
  readonly attempt: Batch<AttemptRecord>;
  /** By `attemptKey`. */
  readonly attemptContent: Batch<AttemptContent>;
  /** By the delivery's id; for each at most so many. */
  readonly attemptsOf: (limit: number) => Batch<readonly AttemptRecord[]>;
  /** By the parent's id. */
  readonly deliveriesOf: (question: DeliveriesQuestion) => Batch<Page<Delivery>>;
  /** By the parent's id. */
  readonly deliveryCountOf: (question: Omit<DeliveriesQuestion, 'page'>) => Batch<Count>;
};

/** Loaders that remember what they loaded; an operation makes its own. */
export function createLoaders(context: WebhookContext): Loaders {
  return {
    ...createLearningLoaders(context),
    organization: createOrganizationLoader(context),
    delivery: createBatch(async (ids) => byId(await findDeliveries(context, ids))),
    subscription: createBatch(async (ids) => byId(await findSubscriptions(context, ids))),
    event: createBatch(async (ids) => byId(await findEvents(context, ids))),
    eventBody: createBatch((ids) => findEventBodies(context, ids)),
    replay: createBatch(async (ids) => byId(await findReplays(context, ids))),
    attempt: createBatch(async (keys) => byAttempt(await findAttempts(context, keys.map(parseAttemptKey)))),
    attemptContent: createBatch(async (keys) =>
      byAttempt(await findAttemptContents(context, keys.map(parseAttemptKey))),
    ),
    attemptsOf: createBatches((ids, limit) => listAttemptsOf(context, ids, limit)),
    deliveriesOf: createBatches((ids, { kind, filter, page }) =>
      listDeliveriesOf(context, { kind, ids }, filter, page),
    ),
    deliveryCountOf: createBatches((ids, { kind, filter }) =>
      countDeliveriesOf(context, { kind, ids }, filter),
    ),
  };
}

function createOrganizationLoader(context: WebhookContext): Loaders['organization'] {
  let own: Promise<Organization> | undefined;
  return () => (own ??= getOrganization(context));
}

/** How an attempt is named: by its delivery and its number. */
export function attemptKey({ deliveryId, number }: AttemptKey): string {
  return `${deliveryId}:${number}`;
}

/** What is none leads to an attempt that does not exist. */
function parseAttemptKey(key: string): AttemptKey {
  const [deliveryId = '', number = ''] = key.split(':');
  return { deliveryId, number: /^\d{1,9}$/.test(number) ? Number(number) : 0 };
}

function byId<T extends { readonly id: string }>(rows: readonly T[]): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [row.id, row]));
}

function byAttempt<T extends AttemptKey>(rows: readonly T[]): ReadonlyMap<string, T> {
  return new Map(rows.map((row) => [attemptKey(row), row]));
}
