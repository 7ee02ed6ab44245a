/**
 * The SQL that turns an authorization code or a refresh token into tokens: one statement each, so that one round trip
 * decides everything and of parallel requests the database lets one through.
 */
import type { QueryConfig } from 'pg';
import type { AuthenticatedClient } from './client.ts';

/** What the server believed when it decided; the statement asks the database again. */
export type Belief = {
  readonly grantType: string;
  readonly client: AuthenticatedClient;
  readonly now: Date;
};

/** What is stored if the exchange comes to pass. */
export type Issue = {
  readonly accessTokenId: string;
  readonly accessTokenExpiresAt: Date;
  /** Null: the client is not registered for refresh tokens. */
  readonly refreshToken: NewRefreshToken | null;
};

export type NewRefreshToken = { readonly id: string; readonly hash: Buffer; readonly expiresAt: Date };

/** `isEntitled` false: the client is not what was believed, and nothing happened. No `userId`: nothing happened either. */
export type Exchange =
  | { readonly isEntitled: boolean; readonly userId: null; readonly scopes: null }
  | { readonly isEntitled: true; readonly userId: string; readonly scopes: readonly string[] };

/** $1 organization, $2 client, $3 grant type, $4 its scopes, $5 the hash of the secret it used, $6 now. */
const ENTITLED = `
  SELECT c.organization_id, c.id FROM oauth_clients c
  WHERE c.organization_id = $1 AND c.id = $2 AND c.status = 'APPROVED' AND $3 = ANY (c.grant_types) AND c.scopes = $4
    AND CASE WHEN $5::bytea IS NULL THEN c.type = 'PUBLIC' ELSE EXISTS (
      SELECT FROM oauth_client_secrets s WHERE s.organization_id = c.organization_id AND s.client_ref = c.id
        AND s.hash = $5 AND (s.expires_at IS NULL OR s.expires_at > $6)) END`;

/** The grant of what is exchanged (k), while neither it nor its user was ended. $7: every scope that the client holds. */
const GRANT_HOLDS = `
  g.organization_id = k.organization_id AND g.id = k.grant_id AND g.client_ref = c.id AND g.revoked_at IS NULL
    AND g.expires_at > $6 AND g.scopes && $7::text[] AND u.id = g.user_id AND u.deactivated_at IS NULL`;

/** Stores the tokens of what was consumed, and when. $8, $9: access token; $10 to $12: refresh token, or null. */
const ISSUE = `
  access AS (
    INSERT INTO oauth_access_tokens (organization_id, id, client_ref, user_id, grant_id, scopes, expires_at)
    SELECT $1, $8::uuid, $2, user_id, grant_id, scopes, $9::timestamptz FROM consumed
    RETURNING user_id, scopes),
  refresh AS (
    INSERT INTO oauth_refresh_tokens (organization_id, id, token_hash, grant_id, parent_id, expires_at)
    SELECT $1, $10::uuid, $11::bytea, grant_id, parent_id, least($12::timestamptz, grant_expires_at)
    FROM consumed WHERE $10::uuid IS NOT NULL),
  used AS (
    UPDATE oauth_grants g SET last_used_at = $6 FROM consumed
    WHERE g.organization_id = $1 AND g.id = consumed.grant_id)
  SELECT EXISTS (SELECT FROM entitled) AS "isEntitled", access.user_id AS "userId", access.scopes
  FROM (SELECT) AS always LEFT JOIN access ON true`;

/** What of a grant's scopes the client still holds. */
const KEPT_SCOPES =
  'ARRAY(SELECT s FROM unnest(g.scopes) WITH ORDINALITY AS held (s, at) WHERE s = ANY ($7) ORDER BY at)';

export type CodeExchange = {
  readonly codeHash: Buffer;
  readonly redirectUri: string | null;
  /** Of the verifier that was sent; null: none was. */
  readonly codeChallenge: string | null;
};

/**
 * Consumes a code, if everything about it is right, and stores what is issued for it. The code is found by the unique
 * index of hashes; all else by primary keys. A code that something is wrong with stays as it is.
 */
export function exchangeCode(
  code: CodeExchange,
  issue: Issue,
  belief: Belief,
  heldScopes: readonly string[],
): QueryConfig {
  return {
    name: 'oauth_exchange_code',
    text: `WITH entitled AS (${ENTITLED}),
      consumed AS (
        UPDATE oauth_authorization_codes k SET consumed_at = $6
        FROM entitled c, oauth_grants g, users u
        WHERE k.code_hash = $13 AND k.organization_id = c.organization_id
          AND k.consumed_at IS NULL AND k.expires_at > $6
          AND (k.redirect_uri IS NULL OR k.redirect_uri = $14::text) AND k.code_challenge IS NOT DISTINCT FROM $15::text
          AND ${GRANT_HOLDS}
        RETURNING k.grant_id, NULL::uuid AS parent_id, g.user_id, g.expires_at AS grant_expires_at,
          ${KEPT_SCOPES} AS scopes),
      ${ISSUE}`,
    values: [...commonValues(issue, belief, heldScopes), code.codeHash, code.redirectUri, code.codeChallenge],
  };
}

export type RefreshExchange = {
  readonly tokenHash: Buffer;
  /** Consumed since then, a token is exchanged a second time, and no more. */
  readonly graceBegan: Date;
  /** What was asked for, which the grant and the client hold; null: all of the grant that the client still holds. */
  readonly scopes: readonly string[] | null;
};

/**
 * Consumes a refresh token, if it is good, and stores what is issued for it. Requests that come together wait for the
 * row one after the other, and each finds it as the one before left it: the first consumes it, the second consumes it
 * again, the third finds nothing left.
 */
export function exchangeRefreshToken(
  token: RefreshExchange,
  issue: Issue,
  belief: Belief,
  heldScopes: readonly string[],
): QueryConfig {
  return {
    name: 'oauth_exchange_refresh_token',
    text: `WITH entitled AS (${ENTITLED}),
      consumed AS (
        UPDATE oauth_refresh_tokens k SET consumed_at = coalesce(k.consumed_at, $6),
          consumed_again_at = CASE WHEN k.consumed_at IS NOT NULL THEN $6 END
        FROM entitled c, oauth_grants g, users u
        WHERE k.token_hash = $13 AND k.organization_id = c.organization_id AND k.expires_at > $6
          AND (k.consumed_at IS NULL OR (k.consumed_at >= $14 AND k.consumed_again_at IS NULL))
          AND ${GRANT_HOLDS}
        RETURNING k.grant_id, k.id AS parent_id, g.user_id, g.expires_at AS grant_expires_at,
          coalesce($15::text[], ${KEPT_SCOPES}) AS scopes),
      ${ISSUE}`,
    values: [...commonValues(issue, belief, heldScopes), token.tokenHash, token.graceBegan, token.scopes],
  };
}

/** Ends the grant of a code of this client that was consumed before the grace period. A row: it was ended now. */
export function endGrantOfReplayedCode(
  codeHash: Buffer,
  client: AuthenticatedClient,
  { now, graceBegan }: { readonly now: Date; readonly graceBegan: Date },
): QueryConfig {
  return {
    name: 'oauth_end_replayed_code',
    text: endGrantOf('oauth_authorization_codes', 'code_hash'),
    values: [client.organizationId, client.id, codeHash, graceBegan, now],
  };
}

/** The same for a refresh token. */
export function endGrantOfReusedToken(
  tokenHash: Buffer,
  client: AuthenticatedClient,
  { now, graceBegan }: { readonly now: Date; readonly graceBegan: Date },
): QueryConfig {
  return {
    name: 'oauth_end_reused_token',
    text: endGrantOf('oauth_refresh_tokens', 'token_hash'),
    values: [client.organizationId, client.id, tokenHash, graceBegan, now],
  };
}

function endGrantOf(table: string, hash: string): string {
  return `UPDATE oauth_grants g SET revoked_at = $5 FROM ${table} k
    WHERE k.${hash} = $3 AND k.organization_id = $1 AND k.consumed_at < $4
      AND g.organization_id = k.organization_id AND g.id = k.grant_id AND g.client_ref = $2 AND g.revoked_at IS NULL
    RETURNING g.id, g.user_id AS "userId"`;
}

function commonValues(issue: Issue, { client, grantType, now }: Belief, heldScopes: readonly string[]) {
  return [
    client.organizationId,
    client.id,
    grantType,
    client.scopes,
    client.usedSecretHash,
    now,
    heldScopes,
    issue.accessTokenId,
    issue.accessTokenExpiresAt,
    issue.refreshToken?.id ?? null,
    issue.refreshToken?.hash ?? null,
    issue.refreshToken?.expiresAt ?? null,
  ];
}
