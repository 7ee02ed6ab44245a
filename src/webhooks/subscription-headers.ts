/** The custom headers of a subscription, sealed at rest, and as they may be shown (webhooks rule 11). */
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import { type MasterKeys, unseal } from '../lib/crypto.ts';
import type { SealedColumn } from '../platform/reseal.ts';
import { type CustomHeaders, maskHeaders } from './custom-headers.ts';

/** Where they lie. */
export const SEALED_HEADERS: SealedColumn = {
  table: 'webhook_subscriptions',
  column: 'sealed_headers',
  key: { organization_id: 'uuid', id: 'uuid' },
  context: ({ id = '' }) => id,
};

type Sealed = Pick<WebhookSubscription, 'id' | 'sealedHeaders'>;

/** Opens the subscription's custom headers and masks what holds credentials. */
export function shownHeaders(keys: MasterKeys, subscription: Sealed): CustomHeaders {
  return maskHeaders(openHeaders(keys, subscription));
}

/** Opens the subscription's custom headers. Their values may be credentials. */
export function openHeaders(keys: MasterKeys, { id, sealedHeaders }: Sealed): CustomHeaders {
  if (sealedHeaders === null) return [];
  return JSON.parse(unseal(keys, Buffer.from(sealedHeaders), id).toString());
}
