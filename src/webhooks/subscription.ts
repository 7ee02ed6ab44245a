/** Webhook subscriptions: create, list, get, update, pause, resume, delete. */
import { z } from 'zod';
import { once } from '../accounts/idempotency.ts';
import { authorize, requireOwnOrganization } from '../accounts/viewer.ts';
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import { seal } from '../lib/crypto.ts';
import { AppError, validationError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { searchable } from '../lib/text.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { MAY_READ, MAY_WRITE, type WebhookContext } from './context.ts';
import { moveFirstPiece } from './mover.ts';
import { addSecret } from './secret.ts';
import { recordCreated, recordSubscription, recordUpdated } from './subscription-audit.ts';
import { checkSettings, type SubscriptionSettings } from './subscription-input.ts';
import { type Held, setActive } from './subscription-state.ts';
import { requireVersion } from './version.ts';

export const MAX_SUBSCRIPTIONS = 1_000;

export type NewSubscription = SubscriptionSettings & {
  readonly targetUrl: string;
  readonly eventTypes: readonly string[];
  readonly organizationId?: string | undefined;
  /** The same key within 24 hours answers the first subscription, with its secret. 1 to 200 characters. */
  readonly idempotencyKey?: string | undefined;
};

export type SubscriptionChanges = SubscriptionSettings & {
  /** false pauses and holds deliveries; true resumes (enables, if disabled). */
  readonly active?: boolean | undefined;
  /** With `active: true`: what becomes of the deliveries that were held; they are sent, if left out. */
  readonly held?: Held | undefined;
  /** Refused with CONFLICT, naming the current version, when the subscription has another one. */
  readonly expectedVersion?: number | undefined;
};

export type SubscriptionFilter = {
  readonly eventType?: string | undefined;
  readonly active?: boolean | undefined;
};

export type CreatedSubscription = {
  readonly subscription: WebhookSubscription;
  readonly secret: string;
  /** It was created before, under the same idempotency key. */
  readonly deduplicated: boolean;
};

const CREATED = z.object({ id: z.string(), secret: z.string() });

/** Creates a subscription. The secret is in the answer and never shown again, but to who asks with the same key. */
export async function createSubscription(
  context: WebhookContext,
  { idempotencyKey, ...input }: NewSubscription,
): Promise<CreatedSubscription> {
  authorize(context.viewer, MAY_WRITE);
  requireOwnOrganization(context.viewer, input.organizationId);
  checkSettings(input, context.targetPolicy);
  const request = { operation: 'createSubscription', key: idempotencyKey, input, answer: CREATED };
  return context.write(async (unit) => {
    const { answer, deduplicated } = await once(unit, context, request, () =>
      insertSubscription(unit.tx, context, input),
    );
    const subscription = await findSubscription(unit.tx, context.viewer.organizationId, answer.id);
    return { subscription, secret: answer.secret, deduplicated };
  });
}

async function insertSubscription(
  tx: Tx,
  context: WebhookContext,
  input: NewSubscription,
): Promise<z.infer<typeof CREATED>> {
  const { organizationId } = context.viewer;
  await requireRoom(tx, organizationId);
  const id = newId();
  const [targetUrl, now] = [input.targetUrl, context.clock.now()];
  const subscription = await tx.webhookSubscription.create({
    data: { organizationId, id, ...columns(context, id, input), targetUrl, createdAt: now, updatedAt: now },
  });
  await recordCreated(tx, context, subscription);
  return { id, secret: await addSecret(tx, context.keys, { organizationId, id }) };
}

/** The viewer's subscriptions, newest first. */
export async function listSubscriptions(
  context: WebhookContext,
  filter: SubscriptionFilter,
  page: PageRequest,
): Promise<Page<WebhookSubscription>> {
  authorize(context.viewer, MAY_READ);
  const { id, take, order } = pageQuery(page);
  const rows = await context.read((tx) =>
    tx.webhookSubscription.findMany({
      where: { AND: [{ id }, conditions(context.viewer.organizationId, filter)] },
      orderBy: { id: order },
      take,
    }),
  );
  return toPage(rows, page);
}

/** How many subscriptions `listSubscriptions` would list. */
export async function countSubscriptions(
  context: WebhookContext,
  filter: SubscriptionFilter,
): Promise<Count> {
  authorize(context.viewer, MAY_READ);
  const where = conditions(context.viewer.organizationId, filter);
  return toCount(await context.read((tx) => tx.webhookSubscription.count({ where, take: MAX_COUNT + 1 })));
}

/** One subscription; NOT_FOUND for one of another organization as for one that never was. */
export async function getSubscription(context: WebhookContext, id: string): Promise<WebhookSubscription> {
  authorize(context.viewer, MAY_READ);
  return context.read((tx) => findSubscription(tx, context.viewer.organizationId, id));
}

/** Changes the settings that are named, and pauses or resumes. */
export async function updateSubscription(
  context: WebhookContext,
  id: string,
  changes: SubscriptionChanges,
): Promise<WebhookSubscription> {
  authorize(context.viewer, MAY_WRITE);
  checkSettings(changes, context.targetPolicy);
  const { active, held } = changes;
  requireResume(active, held);
  const { organizationId } = context.viewer;
  return context.write(async (unit) => {
    const current = await lockSubscription(unit.tx, organizationId, id);
    requireVersion('WebhookSubscription', current, changes.expectedVersion);
    if (active !== undefined) await setActive(unit, context, current, { active, held });
    unit.afterCommit(() => context.wakeLanes(organizationId, [current.id]));
    const changed = await unit.tx.webhookSubscription.update({
      where: { organizationId_id: { organizationId, id } },
      data: {
        ...columns(context, current.id, changes),
        version: { increment: 1 },
        updatedAt: context.clock.now(),
      },
    });
    await recordUpdated(unit.tx, context, { before: current, after: changed, held });
    return changed;
  });
}

function requireResume(active: boolean | undefined, held: Held | undefined): void {
  if (held === undefined || active === true) return;
  const message = 'Held deliveries are sent or discarded when it is resumed: say it with active: true.';
  throw validationError([{ path: ['held'], message }]);
}

/** Deletes a subscription: what waits is cancelled, its history stays until retention ends it. */
export async function deleteSubscription(
  context: WebhookContext,
  id: string,
  expectedVersion?: number,
): Promise<WebhookSubscription> {
  authorize(context.viewer, MAY_WRITE);
  const { organizationId } = context.viewer;
  const now = context.clock.now();
  return context.write(async ({ tx, afterCommit }) => {
    requireVersion('WebhookSubscription', await lockSubscription(tx, organizationId, id), expectedVersion);
    await tx.webhookSecret.deleteMany({ where: { organizationId, subscriptionId: id } });
    const deleted = await tx.webhookSubscription.update({
      where: { organizationId_id: { organizationId, id } },
      data: { deletedAt: now, sealedHeaders: null, version: { increment: 1 } },
    });
    await moveFirstPiece(tx, { organizationId, subscriptionId: id }, now);
    afterCommit(() => context.wakeLanes(organizationId, [id]));
    await recordSubscription(tx, context, deleted, { action: 'webhook_subscription.deleted' });
    return deleted;
  });
}

/** Finds a subscription that is not deleted, or throws NOT_FOUND. */
export async function findSubscription(
  tx: Tx,
  organizationId: string,
  id: string,
): Promise<WebhookSubscription> {
  const subscription = isUuid(id)
    ? await tx.webhookSubscription.findUnique({
        where: { organizationId_id: { organizationId, id }, deletedAt: null },
      })
    : null;
  if (subscription === null)
    throw new AppError('NOT_FOUND', `There is no webhook subscription ${JSON.stringify(id)}.`);
  return subscription;
}

/**
 * The same, with its row locked until the transaction ends, so that two changes follow one another. NO KEY: whoever
 * only refers to the subscription (a settlement that begins its health) does not wait for it.
 */
export async function lockSubscription(
  tx: Tx,
  organizationId: string,
  id: string,
): Promise<WebhookSubscription> {
  if (isUuid(id)) {
    await tx.$queryRaw`SELECT FROM webhook_subscriptions WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR NO KEY UPDATE`;
  }
  return findSubscription(tx, organizationId, id);
}

function conditions(organizationId: string, { eventType, active }: SubscriptionFilter) {
  return {
    organizationId,
    deletedAt: null,
    ...(eventType === undefined ? {} : { eventTypes: { hasSome: [searchable(eventType), '*'] } }),
    ...(active === undefined ? {} : { status: active ? ('ACTIVE' as const) : { not: 'ACTIVE' as const } }),
  };
}

async function requireRoom(tx: Tx, organizationId: string): Promise<void> {
  const count = await tx.webhookSubscription.count({ where: { organizationId, deletedAt: null } });
  if (count < MAX_SUBSCRIPTIONS) return;
  throw new AppError('CONFLICT', `An organization has at most ${MAX_SUBSCRIPTIONS} webhook subscriptions.`);
}

/** The columns of the settings that are named. */
function columns(context: WebhookContext, id: string, settings: SubscriptionSettings) {
  const { customHeaders, eventTypes, retrySeconds } = settings;
  return {
    ...(settings.targetUrl === undefined ? {} : { targetUrl: settings.targetUrl }),
    ...(eventTypes === undefined ? {} : { eventTypes: [...new Set(eventTypes)] }),
    ...(settings.description === undefined ? {} : { description: settings.description }),
    ...(settings.maxConcurrency === undefined ? {} : { maxConcurrency: settings.maxConcurrency }),
    ...(settings.rateLimitPerSecond === undefined ? {} : { rateLimitPerSecond: settings.rateLimitPerSecond }),
    ...(settings.timeoutSeconds === undefined ? {} : { timeoutSeconds: settings.timeoutSeconds }),
    ...(settings.orderedBy === undefined ? {} : { orderedBy: settings.orderedBy }),
    ...(retrySeconds === undefined ? {} : { retrySeconds: [...retrySeconds] }),
    ...(customHeaders === undefined ? {} : { sealedHeaders: sealHeaders(context, id, customHeaders) }),
  };
}

function sealHeaders(context: WebhookContext, id: string, headers: SubscriptionSettings['customHeaders']) {
  return Uint8Array.from(seal(context.keys, Buffer.from(JSON.stringify(headers)), id));
}
