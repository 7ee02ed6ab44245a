/** The introspection endpoint (RFC 7662): a client asks what a token of its own is good for at this moment. */
import { sha256 } from '../lib/crypto.ts';
import { uuidTime } from '../lib/ids.ts';
import type { VerifiedAccessToken } from './access-token-verifier.ts';
import type { AuthenticatedClient } from './client.ts';
import { OAuthError } from './error.ts';
import type { Form } from './form.ts';
import { isJwt, type RevocationDeps } from './revoke.ts';
import { containedScopes } from './scope.ts';
import { type FoundRefreshToken, selectRefreshToken } from './token-statements.ts';

export type IntrospectionDeps = RevocationDeps & { readonly issuer: string };

/** RFC 7662 2.2; `org` is the organization, as in the token. Times in seconds since 1970. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true;
      readonly scope: string;
      readonly client_id: string;
      readonly token_type?: 'Bearer';
      readonly sub: string;
      readonly iss: string;
      readonly aud?: string;
      readonly org: string;
      readonly iat: number;
      readonly exp: number;
      readonly jti?: string;
    };

const INACTIVE = { active: false } as const;

/**
 * What the token is good for. One that is not, or is another client's, is inactive, and nothing else is told of it
 * (RFC 7662 2.2, 4). Errors: `invalid_request`; `invalid_client` for a public client, which cannot prove who it is.
 */
export async function introspectToken(
  deps: IntrospectionDeps,
  client: AuthenticatedClient,
  form: Form,
): Promise<Introspection> {
  if (client.type === 'PUBLIC') {
    throw new OAuthError(
      'invalid_client',
      'A public client cannot introspect: it has no secret to prove itself.',
    );
  }
  const token = form.get('token');
  if (token === undefined) throw new OAuthError('invalid_request', 'The parameter token is missing.');
  return isJwt(token)
    ? introspectAccessToken(deps, client, token)
    : introspectRefreshToken(deps, client, token);
}

async function introspectAccessToken(
  { verifier, issuer }: IntrospectionDeps,
  client: AuthenticatedClient,
  token: string,
): Promise<Introspection> {
  const found = await verifier.inspect(token);
  if (found?.claims.client_id !== client.clientId) return INACTIVE;
  return describe(found, issuer);
}

function describe({ claims, live }: VerifiedAccessToken, issuer: string): Introspection {
  return {
    active: true,
    scope: live.scopes.join(' '),
    client_id: claims.client_id,
    token_type: 'Bearer',
    sub: claims.sub,
    iss: issuer,
    aud: issuer,
    org: claims.org,
    iat: claims.iat,
    exp: claims.exp,
    jti: claims.jti,
  };
}

async function introspectRefreshToken(
  { pool, clock, issuer }: IntrospectionDeps,
  client: AuthenticatedClient,
  token: string,
): Promise<Introspection> {
  const { rows } = await pool.query<FoundRefreshToken>(selectRefreshToken(sha256(token), clock.now()));
  const [found] = rows;
  if (found?.clientRef !== client.id || !found.isLive) return INACTIVE;
  const held = containedScopes(client.scopes);
  return {
    active: true,
    scope: found.scopes.filter((scope) => held.some((name) => name === scope)).join(' '),
    client_id: client.clientId,
    sub: found.userId,
    iss: issuer,
    org: found.organizationId,
    iat: Math.floor(uuidTime(found.id) / 1_000),
    exp: Math.floor(found.expiresAt.getTime() / 1_000),
  };
}
