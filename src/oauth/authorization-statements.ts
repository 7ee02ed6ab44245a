/** The SQL of the authorization endpoint: what is asked before a person decides, and what a decision leaves behind. */
import type { QueryConfig } from 'pg';
import type { MemberRole } from '../accounts/statements.ts';
import type { Client } from './client.ts';

export type NewAuthorization = {
  readonly organizationId: string;
  readonly clientRef: string;
  readonly userId: string;
  readonly scopes: readonly string[];
  /** What the consent that is remembered holds, where nobody was asked now; null: the person has just decided. */
  readonly rememberedScopes: readonly string[] | null;
  /** Of the consent, if there is none yet. */
  readonly consentId: string;
  readonly grantId: string;
  readonly grantExpiresAt: Date;
  readonly code: {
    readonly id: string;
    readonly hash: Buffer;
    /** As it was sent; null: it was left out. */
    readonly redirectUri: string | null;
    readonly codeChallenge: string | null;
    readonly expiresAt: Date;
  };
};

/**
 * Remembers the consent, and stores a grant with its code, if the client is approved and the person a member who is
 * active; no row otherwise. What was consented to before stays consented to. Where nobody was asked, the consent has to
 * be there still, and as it was read: its row is locked, so that who takes it away finds the grant, or has won.
 */
export function insertAuthorization(authorization: NewAuthorization, now: Date): QueryConfig {
  const { organizationId, clientRef, userId, scopes, grantId, grantExpiresAt, code } = authorization;
  const { rememberedScopes, consentId } = authorization;
  return {
    name: 'oauth_authorize',
    text: `WITH remembered AS (
        SELECT FROM oauth_consents
        WHERE organization_id = $1 AND user_id = $3 AND client_ref = $2 AND scopes = $13::text[] FOR UPDATE),
      entitled AS (
        SELECT c.organization_id, c.id AS client_ref, m.user_id
        FROM oauth_clients c
        JOIN memberships m ON m.organization_id = c.organization_id AND m.user_id = $3
        JOIN users u ON u.id = m.user_id AND u.deactivated_at IS NULL
        WHERE c.organization_id = $1 AND c.id = $2 AND c.status = 'APPROVED'
          AND ($13::text[] IS NULL OR EXISTS (SELECT FROM remembered))),
      consent AS (
        INSERT INTO oauth_consents AS k (organization_id, id, user_id, client_ref, scopes, created_at, updated_at)
        SELECT organization_id, $14::uuid, user_id, client_ref, $4::text[], $5::timestamptz, $5::timestamptz FROM entitled
        ON CONFLICT (organization_id, user_id, client_ref) DO UPDATE SET updated_at = excluded.updated_at,
          scopes = ARRAY(SELECT s FROM unnest(k.scopes || excluded.scopes) AS s GROUP BY s ORDER BY s)),
      granted AS (
        INSERT INTO oauth_grants (organization_id, id, user_id, client_ref, scopes, created_at, expires_at)
        SELECT organization_id, $6::uuid, user_id, client_ref, $4::text[], $5::timestamptz, $7::timestamptz FROM entitled)
      INSERT INTO oauth_authorization_codes
        (organization_id, id, code_hash, grant_id, redirect_uri, code_challenge, expires_at)
      SELECT organization_id, $8::uuid, $9::bytea, $6::uuid, $10::text, $11::text, $12::timestamptz FROM entitled`,
    values: [
      organizationId,
      clientRef,
      userId,
      scopes,
      now,
      grantId,
      grantExpiresAt,
      code.id,
      code.hash,
      code.redirectUri,
      code.codeChallenge,
      code.expiresAt,
      rememberedScopes,
      consentId,
    ],
  };
}

/** A client as a person sees it who is to decide about it. */
export type PresentedClient = Pick<
  Client,
  'organizationId' | 'id' | 'clientId' | 'type' | 'status' | 'grantTypes' | 'scopes' | 'redirectUris'
> & {
  readonly name: string;
  readonly organizationName: string;
  readonly requiresPkce: boolean;
  readonly homepageUrl: string | null;
  readonly policyUrl: string | null;
  readonly statusReason: string | null;
};

export function selectPresentedClient(clientId: string): QueryConfig {
  return {
    name: 'oauth_presented_client',
    text: `SELECT c.organization_id AS "organizationId", c.id, c.client_id AS "clientId", c.type, c.status,
             c.grant_types AS "grantTypes", c.scopes, c.redirect_uris AS "redirectUris", c.name,
             o.name AS "organizationName", c.requires_pkce AS "requiresPkce", c.homepage_url AS "homepageUrl",
             c.policy_url AS "policyUrl", c.status_reason AS "statusReason"
           FROM oauth_clients c JOIN organizations o ON o.id = c.organization_id
           WHERE c.client_id = $1`,
    values: [clientId],
  };
}

/** The person who decides, as a member of the client's organization. */
export type Authorizer = {
  readonly userId: string;
  readonly name: string;
  readonly email: string;
  /** Null: no member of the client's organization. */
  readonly role: MemberRole | null;
  /** What the person allowed this client before. */
  readonly consentedScopes: readonly string[];
};

export function selectAuthorizer(userId: string, client: Pick<Client, 'organizationId' | 'id'>): QueryConfig {
  return {
    name: 'oauth_authorizer',
    text: `SELECT u.id AS "userId", u.name, u.email, m.role, coalesce(k.scopes, '{}') AS "consentedScopes"
           FROM users u
           LEFT JOIN memberships m ON m.organization_id = $2 AND m.user_id = u.id
           LEFT JOIN oauth_consents k
             ON k.organization_id = m.organization_id AND k.user_id = m.user_id AND k.client_ref = $3
           WHERE u.id = $1 AND u.deactivated_at IS NULL`,
    values: [userId, client.organizationId, client.id],
  };
}
