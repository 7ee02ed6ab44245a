/** The custom headers of a subscription as they may be shown (webhooks rule 11). */
import type { WebhookSubscription } from '../generated/prisma/client.ts';
import { type MasterKeys, unseal } from '../lib/crypto.ts';
import { type CustomHeaders, maskHeaders } from './custom-headers.ts';

/** Opens the subscription's custom headers and masks what holds credentials. */
export function shownHeaders(
  keys: MasterKeys,
  { id, sealedHeaders }: Pick<WebhookSubscription, 'id' | 'sealedHeaders'>,
): CustomHeaders {
  if (sealedHeaders === null) return [];
  return maskHeaders(JSON.parse(unseal(keys, Buffer.from(sealedHeaders), id).toString()));
}
