/** The signing secrets of a webhook subscription: sealed at rest, several valid while one is rotated. */
import { type MasterKeys, seal, unseal } from '../lib/crypto.ts';
import { newId } from '../lib/ids.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import type { SealedColumn } from '../platform/reseal.ts';
import { generateSecret } from './signature.ts';

type SubscriptionKey = { readonly organizationId: string; readonly id: string };

/** Where they lie. */
export const SEALED_SECRETS: SealedColumn = {
  table: 'webhook_secrets',
  column: 'sealed',
  key: { organization_id: 'uuid', id: 'uuid' },
  bound: ['subscription_id'],
  context: ({ subscription_id = '' }) => subscription_id,
};

/** Makes a secret for the subscription, stores it sealed, and answers it in clear: the only time it is seen. */
export async function addSecret(tx: Tx, keys: MasterKeys, subscription: SubscriptionKey): Promise<string> {
  const secret = generateSecret();
  await tx.webhookSecret.create({
    data: {
      organizationId: subscription.organizationId,
      id: newId(),
      subscriptionId: subscription.id,
      sealed: Uint8Array.from(seal(keys, Buffer.from(secret), subscription.id)),
    },
  });
  return secret;
}

/** Opens a sealed secret of the subscription. */
export function openSecret(keys: MasterKeys, sealed: Uint8Array, subscriptionId: string): string {
  return unseal(keys, Buffer.from(sealed), subscriptionId).toString();
}

/** Ends the secrets that have no end yet at `endsAt`; those of an earlier rotation end now. */
export async function endSecrets(
  tx: Tx,
  subscription: SubscriptionKey,
  now: Date,
  endsAt: Date,
): Promise<void> {
  const where = { organizationId: subscription.organizationId, subscriptionId: subscription.id };
  await tx.webhookSecret.deleteMany({ where: { ...where, expiresAt: { not: null } } });
  if (endsAt > now) await tx.webhookSecret.updateMany({ where, data: { expiresAt: endsAt } });
  else await tx.webhookSecret.deleteMany({ where });
}
