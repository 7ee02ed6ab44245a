/**
 * Disables subscriptions because of how their targets answer (webhooks rules 8, 21), in the transaction that settles the
 * answer: the reason and the time, an entry of the audit log, and the event that tells the organization's others.
 */
import type { PoolClient } from 'pg';
import { beginning } from '../audit/difference.ts';
import { SYSTEM } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import { emitOnConnection, type WakeLanes } from '../events/emit.ts';
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import { targetOf } from './subscription-audit.ts';

export type Disabling = {
  readonly organizationId: string;
  readonly subscriptionId: string;
  readonly reason: string;
  /** It keeps failing: which counts only while it is active. The others said that they want nothing more. */
  readonly keepsFailing: boolean;
};

// Its deliveries follow piece by piece (mover.ts): however many wait, the others' results are not held up.
const DISABLE = `
  UPDATE webhook_subscriptions SET status = 'DISABLED', disabled_reason = $3, disabled_at = $4, version = version + 1, updated_at = $4
  WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL AND (status = 'ACTIVE' OR (status = 'PAUSED' AND NOT $5))
  RETURNING id, target_url AS "targetUrl"`;

/** Disables it, unless it is already. Answers what is to be called after the commit; without, the scan finds the lanes. */
export async function disableSubscription(
  client: PoolClient,
  { organizationId, subscriptionId, reason, keepsFailing }: Disabling,
  { now, wakeLanes }: { readonly now: Date; readonly wakeLanes: WakeLanes },
): Promise<() => void> {
  const { rows } = await client.query<Pick<WebhookSubscription, 'id' | 'targetUrl'>>(DISABLE, [
    organizationId,
    subscriptionId,
    reason,
    now,
    keepsFailing,
  ]);
  const [disabled] = rows;
  if (disabled === undefined) return () => undefined;
  await recordOn(
    client,
    { place: { organizationId }, source: SYSTEM, now },
    {
      action: 'webhook_subscription.disabled',
      target: targetOf(disabled),
      changes: beginning({ disabled_reason: reason }),
    },
  );
  const { wake } = await emitOnConnection(client, organizationId, [disabledEvent(disabled, reason, now)], {
    clock: { now: () => now },
    wakeLanes,
  });
  return wake;
}

function disabledEvent(
  { id, targetUrl }: Pick<WebhookSubscription, 'id' | 'targetUrl'>,
  reason: string,
  now: Date,
) {
  const data = { subscription_id: id, target_url: targetUrl, reason, disabled_at: now.toISOString() };
  return { type: 'webhook.subscription.disabled', data, occurredAt: now };
}
