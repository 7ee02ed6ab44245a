/**
 * Whether a request to the built-in receiver is a delivery of ours. A receiver elsewhere has its secret in its
 * settings; this one is at home and asks for those of the subscription that the delivery belongs to.
 */
import type { Pool } from 'pg';
import { verifyWebhook, verifyWebhookSignature, WebhookVerificationError } from '../../verify/index.js';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { isUuid } from '../lib/ids.ts';
import { runOn } from '../platform/database/run.ts';
import { openSecret } from '../webhooks/secret.ts';

export type Verdict = { readonly verified: true } | { readonly verified: false; readonly fault: string };

export type VerificationDeps = {
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  readonly keys: MasterKeys;
  readonly clock: Clock;
};

/**
 * Answers a function that verifies by both families of signatures, with the secrets that are valid now.
 * Errors: `UNAVAILABLE` when the database is away.
 */
export function createVerification({ pool, keys, clock }: VerificationDeps) {
  return async ({ headers, body }: { headers: Headers; body: string }): Promise<Verdict> => {
    const organizationId = organizationOf(body);
    const deliveryId = headers.get('x-optio-delivery');
    if (organizationId === null || deliveryId === null || !isUuid(deliveryId)) {
      return { verified: false, fault: 'This is no delivery of Optio Connect.' };
    }
    const secrets = await findSecrets(pool, organizationId, deliveryId, clock.now());
    const faults = secrets.map(({ sealed, subscriptionId }) =>
      faultOf(body, headers, openSecret(keys, sealed, subscriptionId), clock.now()),
    );
    if (faults.includes(undefined)) return { verified: true };
    return { verified: false, fault: faults[0] ?? 'There is no such delivery, or it has no secret.' };
  };
}

/** Undefined when everything is in order. */
function faultOf(body: string, headers: Headers, secret: string, now: Date): string | undefined {
  try {
    verifyWebhookSignature(body, headers.get('x-optio-signature'), secret);
    verifyWebhook(body, headers, secret, { now });
    return undefined;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
}

function organizationOf(body: string): string | null {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('organization_id' in parsed)) return null;
    const { organization_id: id } = parsed;
    return typeof id === 'string' && isUuid(id) ? id : null;
  } catch {
    return null;
  }
}

type SecretRow = { readonly subscriptionId: string; readonly sealed: Buffer };

// By two primary keys and the index of a subscription's secrets; newest first.
const FIND_SECRETS = `
  SELECT s.subscription_id AS "subscriptionId", s.sealed
  FROM deliveries d
  JOIN webhook_secrets s ON s.organization_id = d.organization_id AND s.subscription_id = d.subscription_id
  WHERE d.organization_id = $1 AND d.id = $2 AND (s.expires_at IS NULL OR s.expires_at > $3)
  ORDER BY s.created_at DESC`;

async function findSecrets(
  pool: Pool,
  organizationId: string,
  deliveryId: string,
  now: Date,
): Promise<readonly SecretRow[]> {
  const statement = { text: FIND_SECRETS, values: [organizationId, deliveryId, now] };
  const { rows } = await runOn(pool)<SecretRow>(statement);
  return rows;
}
