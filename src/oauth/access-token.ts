/**
 * Access tokens: JWTs (RFC 9068), each with a row for its jti, so that one can be listed and ended at once.
 * A token is good while its signature, its claims and its row all say so.
 */

import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Viewer } from '../accounts/viewer.ts';
import { createBoundedMemory } from '../lib/bounded-memory.ts';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/crypto.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import { BearerError } from './bearer.ts';
import type { AuthenticatedClient } from './client.ts';
import { findHeld } from './held-tokens.ts';
import { SIGNING_ALGORITHM, type SigningKeys } from './signing-key.ts';
import { insertAccessToken, selectLiveClientToken } from './statements.ts';

export const ACCESS_TOKEN_TTL_SECONDS = 3_600;

/** A successful answer of the token endpoint (RFC 6749 5.1). */
export type TokenResponse = {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly scope: string;
};

export type AccessTokens = {
  /**
   * A token with which the client acts for its organization, stored. Undefined, and nothing stored, when the client
   * is not, or no longer, what `client` says: its secret, status, scopes or grants have changed.
   */
  readonly issueToClient: (
    client: AuthenticatedClient,
    scopes: readonly string[],
  ) => Promise<TokenResponse | undefined>;
  /** The viewer a token stands for. Errors: `BearerError` (`invalid_token`); `UNAVAILABLE`. */
  readonly verify: (token: string) => Promise<Viewer>;
  readonly findHeld: (viewers: readonly Viewer[]) => Promise<ReadonlySet<Viewer>>;
};

/** A token without its secret part, as a viewer carries it. */
type TokenReference = { readonly organizationId: string; readonly tokenId: string };

export type AccessTokensDeps = {
  readonly pool: Pool;
  readonly signingKeys: SigningKeys;
  /** Issuer and audience: the authorization server and the resource server are one. */
  readonly issuer: string;
  readonly clock: Clock;
  readonly newId: () => string;
};

type Claims = z.infer<typeof CLAIMS>;
type Live = { readonly clientId: string; readonly scopes: readonly string[]; readonly expiresAt: Date };

const TOKEN_TYPE = 'at+jwt';
const CLAIMS = z.object({ jti: z.uuid(), org: z.uuid(), client_id: z.string(), exp: z.number() });
// The bounds of what is recalled: one entry is about 300 bytes, and a withdrawn key is noticed within a minute.
const MAX_VERIFIED = 5_000;
const VERIFIED_FOR_MS = 60_000;

/** Issues and verifies the access tokens of one issuer. */
export function createAccessTokens(deps: AccessTokensDeps): AccessTokens {
  const readClaims = createClaimsReader(deps);
  return {
    issueToClient: (client, scopes) => issueToClient(deps, client, scopes),
    verify: async (token) => {
      const claims = await readClaims(token);
      const live = await findLive(deps, { organizationId: claims.org, tokenId: claims.jti });
      if (live?.clientId !== claims.client_id) throw invalidToken();
      return viewerOf(claims, live);
    },
    findHeld: (viewers) => findHeld(deps, viewers),
  };
}

/**
 * Verifies a token, or recalls that it was verified a moment ago: a signature and what it covers do not change, and a
 * client sends the same token again and again. Keyed by hash, so that memory holds no token.
 */
function createClaimsReader(deps: AccessTokensDeps): (token: string) => Promise<Claims> {
  const verified = createBoundedMemory<{ readonly claims: Claims; readonly until: number }>(MAX_VERIFIED);
  return async (token) => {
    const now = deps.clock.now().getTime();
    const key = sha256(token).toString('base64');
    const known = verified.get(key);
    if (known !== undefined && now < known.until) return known.claims;
    const claims = await verifyToken(deps, token);
    verified.set(key, { claims, until: Math.min(now + VERIFIED_FOR_MS, claims.exp * 1_000) });
    return claims;
  };
}

async function issueToClient(
  deps: AccessTokensDeps,
  client: AuthenticatedClient,
  scopes: readonly string[],
): Promise<TokenResponse | undefined> {
  const now = deps.clock.now();
  const issuedAt = Math.floor(now.getTime() / 1_000);
  const expiresAt = issuedAt + ACCESS_TOKEN_TTL_SECONDS;
  const id = deps.newId();
  const scope = scopes.join(' ');
  const row = {
    organizationId: client.organizationId,
    id,
    clientRef: client.id,
    scopes,
    expiresAt: new Date(expiresAt * 1_000),
  };
  // Side by side: a token whose row is refused is dropped, and a row without a token entitles nobody.
  const [token, stored] = await Promise.all([
    sign(deps, {
      iss: deps.issuer,
      aud: deps.issuer,
      sub: client.clientId,
      client_id: client.clientId,
      scope,
      org: client.organizationId,
      jti: id,
      iat: issuedAt,
      exp: expiresAt,
    }),
    deps.pool.query(insertAccessToken(row, { grantType: 'client_credentials', client, now })),
  ]);
  if (stored.rowCount !== 1) return undefined;
  return { access_token: token, token_type: 'Bearer', expires_in: ACCESS_TOKEN_TTL_SECONDS, scope };
}

async function sign({ signingKeys }: AccessTokensDeps, claims: JWTPayload): Promise<string> {
  const { kid, privateKey } = await signingKeys.current();
  const header = { alg: SIGNING_ALGORITHM, typ: TOKEN_TYPE, kid };
  return new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
}

/** Checks what the token itself says (RFC 9068 4): signature by a published key, type, issuer, audience, time. */
async function verifyToken({ signingKeys, issuer, clock }: AccessTokensDeps, token: string): Promise<Claims> {
  try {
    const { payload } = await jwtVerify(token, (header) => findKey(signingKeys, header), {
      algorithms: [SIGNING_ALGORITHM],
      typ: TOKEN_TYPE,
      issuer,
      audience: issuer,
      requiredClaims: ['exp', 'iat', 'sub', 'jti', 'org', 'client_id'],
      currentDate: clock.now(),
    });
    return CLAIMS.parse(payload);
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw expiredToken();
    if (error instanceof errors.JOSEError || error instanceof z.ZodError) throw invalidToken();
    throw translateDatabaseError(error); // Finding the key may have asked for it.
  }
}

async function findKey(signingKeys: SigningKeys, header: JWTHeaderParameters) {
  const key = header.kid === undefined ? undefined : await signingKeys.find(header.kid);
  if (key === undefined) throw invalidToken();
  return key;
}

/** Asked on every request, so that what was ended is refused from the next one on. */
async function findLive(
  { pool, clock }: AccessTokensDeps,
  { organizationId, tokenId }: TokenReference,
): Promise<Live | undefined> {
  try {
    const { rows } = await pool.query<Live>(selectLiveClientToken(organizationId, tokenId, clock.now()));
    return rows[0];
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

function viewerOf({ org, jti }: Claims, { clientId, scopes, expiresAt }: Live): Viewer {
  return { organizationId: org, role: 'CLIENT', userId: null, clientId, scopes, expiresAt, tokenId: jti };
}

function expiredToken(): BearerError {
  return new BearerError('invalid_token', 'The access token has expired.');
}

function invalidToken(): BearerError {
  return new BearerError('invalid_token', 'The access token is not valid, or no longer.');
}
