/** Pause, resume, enable again (webhooks rule 22). The state of the subscription is the truth at once; its deliveries follow (mover.ts). */
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import type { WebhookDependencies } from './context.ts';
import { moveFirstPiece } from './mover.ts';

/** What becomes of the deliveries that were held. */
export type Held = 'send' | 'discard';

export type StateChange = { readonly active: boolean; readonly held?: Held | undefined };

/** Pauses (deliveries are held) or resumes (held deliveries are due now, or cancelled). Failures from before are forgiven. */
export async function setActive(
  unit: Unit,
  { clock }: Pick<WebhookDependencies, 'clock'>,
  subscription: WebhookSubscription,
  { active, held = 'send' }: StateChange,
): Promise<void> {
  const { organizationId, id, status } = subscription;
  if (active === (status === 'ACTIVE') || (!active && status === 'DISABLED')) return;
  const change = { status: active ? 'ACTIVE' : 'PAUSED', disabledReason: null, disabledAt: null } as const;
  await unit.tx.webhookSubscription.update({
    where: { organizationId_id: { organizationId, id } },
    data: { ...change, ...(active ? { activeSince: clock.now() } : {}) },
  });
  if (active && held === 'discard') await discardHeld(unit, subscription);
  await moveFirstPiece(unit.tx, { organizationId, subscriptionId: id }, clock.now());
}

/** Everything that is there by now is to be discarded. The mark is an id of the database, which makes those of deliveries. */
async function discardHeld({ tx }: Unit, { organizationId, id }: WebhookSubscription): Promise<void> {
  await tx.$executeRaw`
    UPDATE webhook_subscriptions SET discard_before = optio.uuid_v7()
    WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid`;
}
