/** The SQL that finds and ends access and refresh tokens. Statements on the way of a request are named: planned once. */
import type { QueryConfig } from 'pg';
import type { TenantRole } from '../platform/database/tenant-pool.ts';

/** Which token is meant. */
export type TokenKey = { readonly organizationId: string; readonly id: string };

export type LiveToken = TokenKey & {
  readonly clientId: string;
  /** Null: the client acts for its organization. */
  readonly userId: string | null;
  /** The person's role at this moment, or CLIENT. */
  readonly role: TenantRole;
  readonly scopes: readonly string[];
  /** What its client holds at this moment: the token is good for no more. */
  readonly clientScopes: readonly string[];
  readonly expiresAt: Date;
};

// Five primary keys. A token of a person (user_id) is good with its grant, membership and user only: a row that lacks
// one of them is nobody's, and never a client's.
const LIVE_TOKENS = `oauth_access_tokens t
  JOIN oauth_clients c ON c.organization_id = t.organization_id AND c.id = t.client_ref AND c.status = 'APPROVED'
  LEFT JOIN oauth_grants g ON g.organization_id = t.organization_id AND g.id = t.grant_id AND g.revoked_at IS NULL
  LEFT JOIN memberships m ON m.organization_id = g.organization_id AND m.user_id = g.user_id
  LEFT JOIN users u ON u.id = m.user_id AND u.deactivated_at IS NULL`;
const IS_LIVE = `t.revoked_at IS NULL
  AND CASE WHEN t.user_id IS NULL THEN t.grant_id IS NULL ELSE u.id = t.user_id END`;
const ROLE = `coalesce(m.role::text, 'CLIENT')`;

/** Of these tokens, those of which nothing that entitles them was ended; each in the one partition that its id lies in. */
export function selectLiveTokens(keys: readonly TokenKey[], now: Date): QueryConfig {
  return {
    name: 'oauth_live_tokens',
    text: `SELECT t.organization_id AS "organizationId", t.id, c.client_id AS "clientId", t.user_id AS "userId", ${ROLE} AS role,
             t.scopes, c.scopes AS "clientScopes", t.expires_at AS "expiresAt"
           FROM unnest($1::uuid[], $2::uuid[]) AS asked (organization_id, token_id), ${LIVE_TOKENS}
           WHERE t.organization_id = asked.organization_id AND t.id = asked.token_id
             AND t.expires_at > $3 AND ${IS_LIVE}`,
    values: [keys.map(({ organizationId }) => organizationId), keys.map(({ id }) => id), now],
  };
}

/** Ends one access token of the client. */
export function revokeAccessToken(
  token: { readonly organizationId: string; readonly id: string; readonly clientRef: string },
  now: Date,
): QueryConfig {
  return {
    name: 'oauth_revoke_access_token',
    text: `UPDATE oauth_access_tokens SET revoked_at = $4
           WHERE organization_id = $1 AND id = $2 AND client_ref = $3 AND revoked_at IS NULL`,
    values: [token.organizationId, token.id, token.clientRef, now],
  };
}

export type FoundRefreshToken = {
  readonly id: string;
  readonly organizationId: string;
  readonly grantId: string;
  readonly clientRef: string;
  readonly userId: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Date;
  /** Whether it could be exchanged now; the client's own state is not asked for. */
  readonly isLive: boolean;
};

/** A refresh token, whatever became of it, by its hash alone: one row of a unique index, then four primary keys. */
export function selectRefreshToken(tokenHash: Buffer, now: Date): QueryConfig {
  return {
    name: 'oauth_refresh_token',
    text: `SELECT r.id, r.organization_id AS "organizationId", r.grant_id AS "grantId", g.client_ref AS "clientRef",
             g.user_id AS "userId", g.scopes, r.expires_at AS "expiresAt",
             (r.consumed_at IS NULL AND r.expires_at > $2 AND g.revoked_at IS NULL AND u.deactivated_at IS NULL) AS "isLive"
           FROM oauth_refresh_tokens r
           JOIN oauth_grants g ON g.organization_id = r.organization_id AND g.id = r.grant_id
           JOIN users u ON u.id = g.user_id
           WHERE r.token_hash = $1`,
    values: [tokenHash, now],
  };
}

/** Ends a grant of the client with all that was issued for it. */
export function revokeGrant(
  grant: { readonly organizationId: string; readonly id: string; readonly clientRef: string },
  now: Date,
): QueryConfig {
  return {
    name: 'oauth_revoke_grant',
    text: `UPDATE oauth_grants SET revoked_at = $4
           WHERE organization_id = $1 AND id = $2 AND client_ref = $3 AND revoked_at IS NULL`,
    values: [grant.organizationId, grant.id, grant.clientRef, now],
  };
}
