/** The SQL that deletes what has expired. Each statement takes a bounded number of rows, found by an index. */
import type { QueryConfig } from 'pg';

/** Deletes a bounded number of tokens made before `beforeId` that expired before `expiredBefore`; reads old partitions only. */
export function deleteExpiredAccessTokens(beforeId: string, expiredBefore: Date, limit: number): QueryConfig {
  return {
    text: `DELETE FROM oauth_access_tokens t USING (
             SELECT organization_id, id FROM oauth_access_tokens
             WHERE id < $1 AND expires_at < $2 LIMIT $3) expired
           WHERE t.organization_id = expired.organization_id AND t.id = expired.id AND t.id < $1`,
    values: [beforeId, expiredBefore, limit],
  };
}

/** Grants whose code was never exchanged, with the code. Walks the index of unused codes by expires_at. */
export function deleteUnusedGrants(expiredBefore: Date, limit: number): QueryConfig {
  return {
    text: `DELETE FROM oauth_grants g USING (
             SELECT organization_id, grant_id FROM oauth_authorization_codes
             WHERE consumed_at IS NULL AND expires_at < $1 ORDER BY expires_at LIMIT $2) unused
           WHERE g.organization_id = unused.organization_id AND g.id = unused.grant_id`,
    values: [expiredBefore, limit],
  };
}

/** Walks the index on expires_at. */
export function deleteExpiredRefreshTokens(expiredBefore: Date, limit: number): QueryConfig {
  return deleteByExpiry('oauth_refresh_tokens', expiredBefore, limit);
}

/** With everything that was issued for them. Walks the index on expires_at. */
export function deleteExpiredGrants(expiredBefore: Date, limit: number): QueryConfig {
  return deleteByExpiry('oauth_grants', expiredBefore, limit);
}

/** Those that a rotation gave an end. Walks the index of secrets that have one. */
export function deleteExpiredSecrets(expiredBefore: Date, limit: number): QueryConfig {
  return deleteByExpiry('oauth_client_secrets', expiredBefore, limit);
}

function deleteByExpiry(table: string, expiredBefore: Date, limit: number): QueryConfig {
  return {
    text: `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM ${table} WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))`,
    values: [expiredBefore, limit],
  };
}
