/** Pause and resume: the state of a subscription and of the deliveries that wait for it change together. */
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import type { WebhookDependencies } from './context.ts';

/** Pauses (deliveries are held) or resumes (held deliveries are due now, and their lane is woken after the commit). */
export async function setActive(
  unit: Unit,
  { clock, wakeLanes }: WebhookDependencies,
  subscription: WebhookSubscription,
  active: boolean,
): Promise<void> {
  const { organizationId, id, status } = subscription;
  if (active === (status === 'ACTIVE') || (!active && status === 'DISABLED')) return;
  await unit.tx.webhookSubscription.update({
    where: { organizationId_id: { organizationId, id } },
    data: { status: active ? 'ACTIVE' : 'PAUSED', disabledReason: null, disabledAt: null },
  });
  if (active) {
    await unit.tx
      .$queryRaw`SELECT optio.release_deliveries(${organizationId}::uuid, ${id}::uuid, ${clock.now()}::timestamptz)`;
    unit.afterCommit(() => wakeLanes(organizationId, [id]));
  } else {
    await unit.tx.$queryRaw`SELECT optio.hold_deliveries(${organizationId}::uuid, ${id}::uuid)`;
  }
}
