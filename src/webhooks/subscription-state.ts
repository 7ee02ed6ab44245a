/** Pause and resume. The state of the subscription is the truth at once; its deliveries follow (mover.ts). */
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import type { WebhookDependencies } from './context.ts';
import { moveFirstPiece } from './mover.ts';

/** Pauses (deliveries are held) or resumes (held deliveries are due now). */
export async function setActive(
  unit: Unit,
  { clock }: Pick<WebhookDependencies, 'clock'>,
  subscription: WebhookSubscription,
  active: boolean,
): Promise<void> {
  const { organizationId, id, status } = subscription;
  if (active === (status === 'ACTIVE') || (!active && status === 'DISABLED')) return;
  await unit.tx.webhookSubscription.update({
    where: { organizationId_id: { organizationId, id } },
    data: { status: active ? 'ACTIVE' : 'PAUSED', disabledReason: null, disabledAt: null },
  });
  await moveFirstPiece(unit.tx, { organizationId, subscriptionId: id }, clock.now());
}
