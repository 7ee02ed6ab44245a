/** The SQL of client secrets in the hands of their organization, which never reads a hash. */
import type { ClientRow, Statement } from './client-record-statements.ts';
import type { NewClientSecret } from './statements.ts';

type Key = Pick<ClientRow, 'organizationId' | 'id'>;

export function insertOwnSecret(secret: NewClientSecret, now: Date): Statement {
  return {
    text: `INSERT INTO oauth_client_secrets (organization_id, id, client_ref, hash, created_at)
           VALUES ($1::uuid, $2::uuid, $3::uuid, $4::bytea, $5::timestamptz)`,
    values: [secret.organizationId, secret.id, secret.clientRef, secret.hash, now],
  };
}

/**
 * Ends at once what is in an overlap, and the newest at `newestEndsAt` (null: it stays). An overlap never ends later than
 * it would have.
 */
export function endOlderSecrets(
  { organizationId, id }: Key,
  { newestEndsAt, now }: { readonly newestEndsAt: Date | null; readonly now: Date },
): Statement {
  return {
    text: `UPDATE oauth_client_secrets
           SET expires_at = CASE WHEN expires_at IS NULL THEN $3::timestamptz ELSE least(expires_at, $4::timestamptz) END
           WHERE organization_id = $1::uuid AND client_ref = $2::uuid`,
    values: [organizationId, id, newestEndsAt, now],
  };
}

export function touchClient({ organizationId, id }: Key, now: Date): Statement {
  return {
    text: `UPDATE oauth_clients SET version = version + 1, updated_at = $3::timestamptz
           WHERE organization_id = $1::uuid AND id = $2::uuid`,
    values: [organizationId, id, now],
  };
}
