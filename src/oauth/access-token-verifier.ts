/**
 * Which access tokens are good: those whose signature, claims and row all say so, and, for a person's token, whose
 * authorization and person do.
 */
import { errors, type JWTHeaderParameters, jwtVerify } from 'jose';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Viewer } from '../accounts/viewer.ts';
import { createBoundedMemory } from '../lib/bounded-memory.ts';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/crypto.ts';
import { gather } from '../lib/gather.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import { ACCESS_TOKEN_TYPE } from './access-token.ts';
import { BearerError } from './bearer.ts';
import { commonScopes } from './client-settings.ts';
import { SIGNING_ALGORITHMS, type SigningKeys } from './signing-key.ts';
import { type LiveToken, selectLiveTokens, type TokenKey } from './token-statements.ts';

export type AccessTokenClaims = z.infer<typeof CLAIMS>;

export type VerifiedAccessToken = { readonly claims: AccessTokenClaims; readonly live: LiveToken };

export type AccessTokenVerifier = {
  /** The viewer a token stands for. Errors: `BearerError` (`invalid_token`); `UNAVAILABLE`. */
  readonly verify: (token: string) => Promise<Viewer>;
  /** What is known of a token that is good; undefined for any other. Errors: `UNAVAILABLE`. */
  readonly inspect: (token: string) => Promise<VerifiedAccessToken | undefined>;
  /** What a token of ours says that has not expired, whether or not it was ended; undefined for any other text. */
  readonly readClaims: (token: string) => Promise<AccessTokenClaims | undefined>;
  /** Those of the viewers whose tokens, roles and scopes still hold; many at once, for what outlives a request. */
  readonly findHeld: (viewers: readonly Viewer[]) => Promise<ReadonlySet<Viewer>>;
};

export type AccessTokenVerifierDeps = {
  readonly pool: Pool;
  readonly signingKeys: SigningKeys;
  /** Issuer and audience: the authorization server and the resource server are one. */
  readonly issuer: string;
  readonly clock: Clock;
};

const CLAIMS = z.object({
  jti: z.uuid(),
  org: z.uuid(),
  client_id: z.string(),
  sub: z.string(),
  iat: z.number(),
  exp: z.number(),
});
// The bounds of what is recalled: one entry is about 400 bytes, and a withdrawn key is noticed within a minute.
const MAX_VERIFIED = 5_000;
const VERIFIED_FOR_MS = 60_000;
const TOGETHER = { concurrency: 1, maxKeys: 100, patienceMs: 100 };

/** Verifies the access tokens of one issuer. */
export function createAccessTokenVerifier(deps: AccessTokenVerifierDeps): AccessTokenVerifier {
  const readClaims = createClaimsReader(deps);
  const findLive = createLiveTokenFinder(deps);
  const find = async (token: string): Promise<VerifiedAccessToken> => {
    const claims = await readClaims(token);
    const live = await findLive({ organizationId: claims.org, id: claims.jti });
    if (live?.clientId !== claims.client_id || (live.userId ?? claims.client_id) !== claims.sub) {
      throw invalidToken();
    }
    return { claims, live: { ...live, scopes: commonScopes(live.clientScopes, live.scopes) } };
  };
  return {
    verify: async (token) => viewerOf(await find(token)),
    inspect: (token) => find(token).catch(dropRefusal),
    readClaims: (token) => readClaims(token).catch(dropRefusal),
    findHeld: (viewers) => findHeld(deps, viewers),
  };
}

/**
 * Verifies a token, or recalls that it was verified a moment ago: a signature and what it covers do not change, and a
 * client sends the same token again and again. Keyed by hash, so that memory holds no token.
 */
function createClaimsReader(deps: AccessTokenVerifierDeps): (token: string) => Promise<AccessTokenClaims> {
  const verified = createBoundedMemory<{ readonly claims: AccessTokenClaims; readonly until: number }>(
    MAX_VERIFIED,
  );
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

/** Checks what the token itself says (RFC 9068 4): signature by a published key, type, issuer, audience, time. */
async function verifyToken(
  { signingKeys, issuer, clock }: AccessTokenVerifierDeps,
  token: string,
): Promise<AccessTokenClaims> {
  try {
    const { payload } = await jwtVerify(token, (header) => findKey(signingKeys, header), {
      algorithms: [...SIGNING_ALGORITHMS],
      typ: ACCESS_TOKEN_TYPE,
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
  const key = header.kid === undefined ? undefined : await signingKeys.find(header.kid, header.alg);
  if (key === undefined) throw invalidToken();
  return key;
}

/** Asked on every request, so that what was ended is refused from the next one on; those of many requests together. */
function createLiveTokenFinder({
  pool,
  clock,
}: AccessTokenVerifierDeps): (token: TokenKey) => Promise<LiveToken | undefined> {
  return gather(async (asked) => {
    const found = await selectLive(pool, asked, clock.now());
    return asked.map((token) => found.get(keyOf(token)));
  }, TOGETHER);
}

async function selectLive(
  pool: Pool,
  asked: readonly TokenKey[],
  now: Date,
): Promise<ReadonlyMap<string, LiveToken>> {
  try {
    const { rows } = await pool.query<LiveToken>(selectLiveTokens(asked, now));
    return new Map(rows.map((token) => [keyOf(token), token]));
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

function keyOf({ organizationId, id }: TokenKey): string {
  return `${organizationId}:${id}`;
}

async function findHeld(
  { pool, clock }: AccessTokenVerifierDeps,
  viewers: readonly Viewer[],
): Promise<ReadonlySet<Viewer>> {
  const asked = viewers.flatMap((viewer) =>
    viewer.tokenId === null ? [] : [{ viewer, organizationId: viewer.organizationId, id: viewer.tokenId }],
  );
  const found = await selectLive(pool, asked, clock.now());
  return new Set(
    asked.filter((token) => isAsBefore(token.viewer, found.get(keyOf(token)))).map(({ viewer }) => viewer),
  );
}

/** A role that changed, or a scope that the client lost, ends what was let in under them. */
function isAsBefore({ role, scopes }: Viewer, token: LiveToken | undefined): boolean {
  if (token === undefined || token.role !== role) return false;
  const left = commonScopes(token.clientScopes, token.scopes);
  return (scopes ?? []).every((scope) => left.includes(scope));
}

function viewerOf({ claims, live }: VerifiedAccessToken): Viewer {
  return {
    organizationId: claims.org,
    role: live.role,
    userId: live.userId,
    clientId: live.clientId,
    scopes: live.scopes,
    expiresAt: live.expiresAt,
    tokenId: claims.jti,
  };
}

function dropRefusal(error: unknown): undefined {
  if (!(error instanceof BearerError)) throw error;
}

function expiredToken(): BearerError {
  return new BearerError('invalid_token', 'The access token has expired.');
}

function invalidToken(): BearerError {
  return new BearerError('invalid_token', 'The access token is not valid, or no longer.');
}
