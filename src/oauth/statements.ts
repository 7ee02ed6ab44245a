/** The SQL of the authorization server. Statements on the way of a request are named: they are planned once. */
import type { QueryConfig } from 'pg';
import type { Client } from './client.ts';
import type { Belief } from './grant-statements.ts';

// Held to the end of the transaction, so that processes that start together make one key.
const SIGNING_KEY_LOCK = [7431, 3];

/** Finds the client by its unique index and its secrets by (organization_id, client_ref): three pages in all. */
export function selectClient(clientId: string, now: Date): QueryConfig {
  return {
    name: 'oauth_client',
    text: `SELECT c.organization_id AS "organizationId", c.id, c.client_id AS "clientId", c.type, c.status,
             c.grant_types AS "grantTypes", c.scopes, c.redirect_uris AS "redirectUris",
             ARRAY(SELECT s.hash FROM oauth_client_secrets s
                   WHERE s.organization_id = c.organization_id AND s.client_ref = c.id
                     AND (s.expires_at IS NULL OR s.expires_at > $2)) AS "secretHashes"
           FROM oauth_clients c WHERE c.client_id = $1`,
    values: [clientId, now],
  };
}

export type NewClient = {
  readonly organizationId: string;
  readonly id: string;
  readonly clientId: string;
  readonly name: string;
  readonly type: Client['type'];
  readonly status: Client['status'];
  readonly grantTypes: readonly string[];
  readonly scopes: readonly string[];
  readonly redirectUris: readonly string[];
  readonly requiresPkce: boolean;
};

export function insertClient(client: NewClient, now: Date): QueryConfig {
  return {
    text: `INSERT INTO oauth_clients (organization_id, id, client_id, name, type, status, grant_types, scopes,
             redirect_uris, requires_pkce, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5::"OAuthClientType", $6::"OAuthClientStatus", $7, $8, $9, $10, $11, $11)`,
    values: [
      client.organizationId,
      client.id,
      client.clientId,
      client.name,
      client.type,
      client.status,
      client.grantTypes,
      client.scopes,
      client.redirectUris,
      client.requiresPkce,
      now,
    ],
  };
}

export type NewClientSecret = {
  readonly organizationId: string;
  readonly id: string;
  readonly clientRef: string;
  readonly hash: Buffer;
};

export function insertClientSecret(secret: NewClientSecret, now: Date): QueryConfig {
  return {
    text: `INSERT INTO oauth_client_secrets (organization_id, id, client_ref, hash, created_at)
           VALUES ($1, $2, $3, $4, $5)`,
    values: [secret.organizationId, secret.id, secret.clientRef, secret.hash, now],
  };
}

/** The oldest client of an organization: its ids are time-ordered and end the primary key. */
export function selectFirstClientId(organizationId: string): QueryConfig {
  return {
    text: 'SELECT client_id AS "clientId" FROM oauth_clients WHERE organization_id = $1 ORDER BY id LIMIT 1',
    values: [organizationId],
  };
}

export type NewAccessToken = {
  readonly organizationId: string;
  readonly id: string;
  readonly clientRef: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
};

/** A token to be stored, and what entitles the client to it. */
export type AccessTokenClaim = { readonly token: NewAccessToken; readonly belief: Belief };

/**
 * Stores each token if all that entitles its client to it is true at this moment, and answers their ids; no row for any
 * other. Three lookups by primary key or index and one insert each. The commit does not wait for the disk: a token row
 * that a crash loses is a token that is refused, and its client asks for another.
 */
export function insertAccessTokens(claims: readonly AccessTokenClaim[]): QueryConfig {
  return {
    name: 'oauth_issue_access_tokens',
    text: `INSERT INTO oauth_access_tokens (organization_id, id, client_ref, scopes, expires_at)
           SELECT c.organization_id, t.id, c.id, t.scopes, t.expires_at
           FROM set_config('synchronous_commit', 'off', true),
             json_to_recordset($1::json) AS t (organization_id uuid, id uuid, client_ref uuid, scopes text[], expires_at timestamptz,
               grant_type text, client_scopes text[], secret_hash text, now timestamptz)
           JOIN oauth_clients c ON c.organization_id = t.organization_id AND c.id = t.client_ref AND c.status = 'APPROVED'
             AND t.grant_type = ANY (c.grant_types) AND c.scopes = t.client_scopes
           WHERE EXISTS (SELECT FROM oauth_client_secrets s
                         WHERE s.organization_id = c.organization_id AND s.client_ref = c.id
                           AND s.hash = decode(t.secret_hash, 'hex') AND (s.expires_at IS NULL OR s.expires_at > t.now))
           RETURNING id`,
    values: [JSON.stringify(claims.map(claimRecord))],
  };
}

function claimRecord({ token, belief: { client, grantType, now } }: AccessTokenClaim) {
  return {
    organization_id: token.organizationId,
    id: token.id,
    client_ref: token.clientRef,
    scopes: token.scopes,
    expires_at: token.expiresAt,
    grant_type: grantType,
    client_scopes: client.scopes,
    secret_hash: client.usedSecretHash?.toString('hex'),
    now,
  };
}

export function lockSigningKeys(): QueryConfig {
  return { text: 'SELECT pg_advisory_xact_lock($1, $2)', values: SIGNING_KEY_LOCK };
}

/** All that are published, newest first: a handful of rows. */
export function selectSigningKeys(now: Date): QueryConfig {
  return {
    text: `SELECT id AS "kid", algorithm, public_jwk AS "publicJwk", sealed_private AS "sealedPrivate",
             signs_from AS "signsFrom", retires_at AS "retiresAt"
           FROM signing_keys WHERE retires_at IS NULL OR retires_at > $1
           ORDER BY signs_from DESC, id`,
    values: [now],
  };
}

export type NewSigningKey = {
  readonly kid: string;
  readonly algorithm: string;
  readonly publicJwk: object;
  readonly sealedPrivate: Buffer;
  readonly signsFrom: Date;
};

export function insertSigningKey(key: NewSigningKey, createdAt: Date = key.signsFrom): QueryConfig {
  return {
    text: `INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private, signs_from, created_at)
           VALUES ($1, $2, $3, $4, $5, $6)`,
    values: [key.kid, key.algorithm, key.publicJwk, key.sealedPrivate, key.signsFrom, createdAt],
  };
}

/** Has a key that waits sign from then on. */
export function setSigningKeyBegin(kid: string, signsFrom: Date): QueryConfig {
  return { text: 'UPDATE signing_keys SET signs_from = $2 WHERE id = $1', values: [kid, signsFrom] };
}

/** Ends all keys but one at a time, unless they end before. */
export function retireSigningKeys(exceptKid: string, retiresAt: Date): QueryConfig {
  return {
    text: `UPDATE signing_keys SET retires_at = $2
           WHERE id <> $1 AND (retires_at IS NULL OR retires_at > $2) RETURNING id AS kid`,
    values: [exceptKid, retiresAt],
  };
}

export function deleteRetiredSigningKeys(now: Date): QueryConfig {
  return { text: 'DELETE FROM signing_keys WHERE retires_at <= $1', values: [now] };
}
