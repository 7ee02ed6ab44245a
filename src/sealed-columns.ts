/** Everything that lies sealed under MASTER_KEY in the database, for src/keys.ts. */
import { SEALED_ANSWERS } from './accounts/idempotency.ts';
import { SEALED_SECOND_FACTORS } from './accounts/second-factor.ts';
import { SEALED_SIGNING_KEYS } from './oauth/signing-key.ts';
import type { SealedColumn } from './platform/reseal.ts';
import { SEALED_SECRETS } from './webhooks/secret.ts';
import { SEALED_HEADERS } from './webhooks/subscription-headers.ts';

/** A new column of sealed values has to be put here; a test looks for it. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  SEALED_SIGNING_KEYS,
  SEALED_SECRETS,
  SEALED_HEADERS,
  SEALED_SECOND_FACTORS,
  SEALED_ANSWERS,
];
