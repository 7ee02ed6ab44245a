/** Organizations that tests of transactions work for. */
import { newId } from '../../../src/lib/ids.ts';
import type { Tx } from '../../../src/platform/database/tenancy.ts';
import type { TenantIdentity } from '../../../src/platform/database/tenant-pool.ts';
import { query } from '../../support/database.ts';

/** An organization with one webhook subscription, and an admin of it. */
export type Organization = { readonly identity: TenantIdentity; readonly subscriptionId: string };

export async function createOrganization(ownerUrl: string): Promise<Organization> {
  const [organizationId, subscriptionId] = [newId(), newId()];
  await query(
    ownerUrl,
    `WITH o AS (INSERT INTO organizations (id, slug, name) VALUES ($1, $3, $3))
     INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types) VALUES ($1, $2, 'https://lms.example/', '{*}')`,
    [organizationId, subscriptionId, `school-${organizationId}`],
  );
  return { identity: { organizationId, userId: newId(), role: 'ADMIN' }, subscriptionId };
}

/** Where its subscription is found. */
export function keyOf({ identity: { organizationId }, subscriptionId }: Organization) {
  return { organizationId_id: { organizationId, id: subscriptionId } };
}

export async function describeSubscription(tx: Tx, own: Organization, description: string): Promise<void> {
  await tx.webhookSubscription.update({ where: keyOf(own), data: { description } });
}

/** What stands there for everybody. */
export async function descriptionOf(ownerUrl: string, { subscriptionId }: Organization): Promise<unknown> {
  const [row] = await query(ownerUrl, 'SELECT description FROM webhook_subscriptions WHERE id = $1', [
    subscriptionId,
  ]);
  return row?.['description'];
}
