/**
 * Access tokens: JWTs (RFC 9068), each with a row for its jti, so that one can be listed and ended at once.
 * This file issues them; access-token-verifier.ts says which are good.
 */
import { CompactSign } from 'jose';
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { gather } from '../lib/gather.ts';
import type { AuthenticatedClient, Client } from './client.ts';
import type { SigningKeys } from './signing-key.ts';
import { type AccessTokenClaim, insertAccessTokens } from './statements.ts';

export const ACCESS_TOKEN_TTL_SECONDS = 3_600;
export const ACCESS_TOKEN_TYPE = 'at+jwt';
const TOGETHER = { concurrency: 1, maxKeys: 100, patienceMs: 100 };

/** A successful answer of the token endpoint (RFC 6749 5.1). */
export type TokenResponse = {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token?: string;
  readonly scope: string;
};

/** A token to be: it counts once it is both signed and stored. */
export type AccessTokenDraft = {
  /** The jti. */
  readonly id: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
};

export type AccessTokenSubject = {
  readonly client: Client;
  /** The user's id; null: the client acts for its organization. */
  readonly userId: string | null;
  readonly scopes: readonly string[];
};

export type AccessTokens = {
  readonly draft: () => AccessTokenDraft;
  /** The answer with the signed token. Somebody has to store its row. */
  readonly sign: (draft: AccessTokenDraft, subject: AccessTokenSubject) => Promise<TokenResponse>;
  /**
   * A token with which the client acts for its organization, stored. Undefined, and nothing stored, when the client
   * is not, or no longer, what `client` says: its secret, status, scopes or grants have changed.
   */
  readonly issueToClient: (
    client: AuthenticatedClient,
    scopes: readonly string[],
  ) => Promise<TokenResponse | undefined>;
};

export type AccessTokensDeps = {
  readonly pool: Pool;
  readonly signingKeys: SigningKeys;
  /** Issuer and audience: the authorization server and the resource server are one. */
  readonly issuer: string;
  readonly clock: Clock;
  readonly newId: () => string;
};

/** Issues the access tokens of one issuer. */
export function createAccessTokens(deps: AccessTokensDeps): AccessTokens {
  const store = createStore(deps.pool);
  return {
    draft: () => draft(deps),
    sign: (token, subject) => sign(deps, token, subject),
    issueToClient: (client, scopes) => issueToClient(deps, store, client, scopes),
  };
}

/** Stores a token; false, and nothing stored, when its client is not entitled to it. Those of many requests together. */
type Store = (claim: AccessTokenClaim) => Promise<boolean>;

function createStore(pool: Pool): Store {
  return gather(async (claims) => {
    const { rows } = await pool.query<{ id: string }>(insertAccessTokens(claims));
    const stored = new Set(rows.map(({ id }) => id));
    return claims.map(({ token }) => stored.has(token.id));
  }, TOGETHER);
}

/** Times in whole seconds, as a JWT has them. */
function draft({ clock, newId }: AccessTokensDeps): AccessTokenDraft {
  const issuedAt = Math.floor(clock.now().getTime() / 1_000) * 1_000;
  return {
    id: newId(),
    issuedAt: new Date(issuedAt),
    expiresAt: new Date(issuedAt + ACCESS_TOKEN_TTL_SECONDS * 1_000),
  };
}

async function issueToClient(
  deps: AccessTokensDeps,
  store: Store,
  client: AuthenticatedClient,
  scopes: readonly string[],
): Promise<TokenResponse | undefined> {
  const { id, expiresAt, ...times } = draft(deps);
  const token = { organizationId: client.organizationId, id, clientRef: client.id, scopes, expiresAt };
  const belief = { grantType: 'client_credentials', client, now: deps.clock.now() };
  // Side by side: a token whose row is refused is dropped, and a row without a token entitles nobody.
  const [response, isStored] = await Promise.all([
    sign(deps, { id, expiresAt, ...times }, { client, userId: null, scopes }),
    store({ token, belief }),
  ]);
  return isStored ? response : undefined;
}

async function sign(
  { signingKeys, issuer }: AccessTokensDeps,
  token: AccessTokenDraft,
  { client, userId, scopes }: AccessTokenSubject,
): Promise<TokenResponse> {
  const { kid, algorithm, privateKey } = await signingKeys.current();
  const scope = scopes.join(' ');
  const claims = {
    iss: issuer,
    aud: issuer,
    sub: userId ?? client.clientId,
    client_id: client.clientId,
    scope,
    org: client.organizationId,
    jti: token.id,
    iat: token.issuedAt.getTime() / 1_000,
    exp: token.expiresAt.getTime() / 1_000,
  };
  const header = { alg: algorithm, typ: ACCESS_TOKEN_TYPE, kid };
  // The claims are complete, so the builder of JWTs, which copies and checks them, would be a third of the work.
  const payload = Buffer.from(JSON.stringify(claims));
  const signed = await new CompactSign(payload).setProtectedHeader(header).sign(privateKey);
  return { access_token: signed, token_type: 'Bearer', expires_in: ACCESS_TOKEN_TTL_SECONDS, scope };
}
