/** What the audit log is told of webhook subscriptions: settings as they are, the values of custom headers never. */
import { isDeepStrictEqual } from 'node:util';
import { beginning, difference } from '../audit/difference.ts';
import type { Act } from '../audit/entry.ts';
import { record } from '../audit/record.ts';
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import type { WebhookContext } from './context.ts';
import { type CustomHeaders, MASK } from './custom-headers.ts';
import { openHeaders } from './subscription-headers.ts';
import type { Held } from './subscription-state.ts';

type Subscription = Pick<WebhookSubscription, 'id' | 'targetUrl'>;

/** Records something about a subscription, in the transaction that does it. */
export async function recordSubscription(
  tx: Tx,
  context: WebhookContext,
  subscription: Subscription,
  act: Omit<Act, 'target'>,
): Promise<void> {
  await record(tx, context, context.clock.now(), { ...act, target: targetOf(subscription) });
}

/** A subscription as the target of an entry. */
export function targetOf({ id, targetUrl }: Subscription) {
  return { type: 'WebhookSubscription', id, label: targetUrl } as const;
}

/** Records a new subscription with the settings it has. */
export async function recordCreated(
  tx: Tx,
  context: WebhookContext,
  subscription: WebhookSubscription,
): Promise<void> {
  const changes = beginning(settingsOf(subscription, openHeaders(context.keys, subscription)));
  await recordSubscription(tx, context, subscription, { action: 'webhook_subscription.created', changes });
}

export type Change = {
  readonly before: WebhookSubscription;
  readonly after: WebhookSubscription;
  /** What was said about held deliveries. */
  readonly held: Held | undefined;
};

/** Records what is different after an update: its settings, and whether it is paused. Nothing different, no entry. */
export async function recordUpdated(tx: Tx, context: WebhookContext, change: Change): Promise<void> {
  const { before, after } = change;
  if (before.status !== after.status) await recordStatus(tx, context, change);
  const [headersBefore, headersAfter] = [before, after].map((one) => openHeaders(context.keys, one));
  const changes = difference(
    settingsOf(before, headersBefore ?? []),
    settingsOf(after, headersAfter ?? [], headersBefore),
  );
  if (Object.keys(changes).length === 0) return;
  await recordSubscription(tx, context, after, { action: 'webhook_subscription.updated', changes });
}

async function recordStatus(tx: Tx, context: WebhookContext, { before, after, held }: Change): Promise<void> {
  const action = after.status === 'ACTIVE' ? 'webhook_subscription.resumed' : 'webhook_subscription.paused';
  const changes = {
    status: { from: before.status, to: after.status },
    ...(held === undefined ? {} : beginning({ held_deliveries: held })),
  };
  await recordSubscription(tx, context, after, { action, changes });
}

function settingsOf(subscription: WebhookSubscription, headers: CustomHeaders, earlier = headers) {
  return {
    target_url: subscription.targetUrl,
    description: subscription.description,
    event_types: subscription.eventTypes,
    custom_headers: headers.length === 0 ? null : withoutValues(headers, earlier),
    max_concurrency: subscription.maxConcurrency,
    rate_limit_per_second: subscription.rateLimitPerSecond,
    retry_seconds: subscription.retrySeconds,
    timeout_seconds: subscription.timeoutSeconds,
    ordered_by: subscription.orderedBy,
  };
}

/** Names, and whether the value is another one than before. */
function withoutValues(headers: CustomHeaders, earlier: CustomHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(
    headers.map((header) => {
      const isAsBefore = earlier.some((other) => isDeepStrictEqual(other, header));
      return [header[0], isAsBefore ? MASK : `${MASK} (changed)`];
    }),
  );
}
