/** The revocation endpoint (RFC 7009): a client ends a token it has. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/crypto.ts';
import type { AccessTokenVerifier } from './access-token-verifier.ts';
import type { AuthenticatedClient } from './client.ts';
import { OAuthError } from './error.ts';
import type { Form } from './form.ts';
import {
  type FoundRefreshToken,
  revokeAccessToken,
  revokeGrant,
  selectRefreshToken,
} from './token-statements.ts';

export type RevocationDeps = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly verifier: AccessTokenVerifier;
};

/**
 * Ends the token: an access token alone, a refresh token with its whole authorization. A token shows by its form which it is, so
 * a hint changes nothing (RFC 7009 2.1). A token that is unknown or over already is no error (2.2).
 * Errors: `invalid_request`; `invalid_grant` for another client's token, which stays as it was.
 */
export async function revokeToken(
  deps: RevocationDeps,
  client: AuthenticatedClient,
  form: Form,
): Promise<void> {
  const token = form.get('token');
  if (token === undefined) throw new OAuthError('invalid_request', 'The parameter token is missing.');
  await (isJwt(token) ? endAccessToken(deps, client, token) : endRefreshToken(deps, client, token));
}

/** Whether a token can be an access token: refresh tokens hold no dots. */
export function isJwt(token: string): boolean {
  return token.includes('.');
}

async function endAccessToken(
  { pool, clock, verifier }: RevocationDeps,
  client: AuthenticatedClient,
  token: string,
): Promise<void> {
  const claims = await verifier.readClaims(token);
  if (claims === undefined) return;
  if (claims.client_id !== client.clientId) throw anothersToken();
  const { organizationId, id: clientRef } = client;
  await pool.query(revokeAccessToken({ organizationId, id: claims.jti, clientRef }, clock.now()));
}

async function endRefreshToken(
  { pool, clock }: RevocationDeps,
  client: AuthenticatedClient,
  token: string,
): Promise<void> {
  const now = clock.now();
  const { rows } = await pool.query<FoundRefreshToken>(selectRefreshToken(sha256(token), now));
  const [found] = rows;
  if (found === undefined) return;
  if (found.clientRef !== client.id) throw anothersToken();
  const { organizationId, grantId, clientRef } = found;
  await pool.query(revokeGrant({ organizationId, id: grantId, clientRef }, now));
}

function anothersToken(): OAuthError {
  return new OAuthError('invalid_grant', 'The token was issued to another client.');
}
