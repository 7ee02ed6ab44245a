/** The refresh token grant (RFC 6749 6) with rotation and detection of reuse (RFC 9700 4.14.2). */
import { sha256 } from '../lib/crypto.ts';
import type { AuthenticatedClient } from './client.ts';
import { OAuthError } from './error.ts';
import { type ExchangeDeps, exchangeForTokens, graceBegan } from './exchange.ts';
import type { Form } from './form.ts';
import { endGrantOfReusedToken, exchangeRefreshToken } from './grant-statements.ts';
import { narrowScopes } from './scope.ts';
import type { Grant } from './token.ts';
import { type FoundRefreshToken, selectRefreshToken } from './token-statements.ts';

const REFUSAL = 'The refresh token is unknown, has expired, or was used or revoked.';

/**
 * The grant. Each token is exchanged for its successor; within the grace period once more, for a sibling of it (two
 * tabs, a retry); a token used before that ends all tokens of its authorization. A scope narrows the access token alone: its
 * successor is good for the whole grant. Errors: `invalid_request`, `invalid_grant`, `invalid_scope`.
 */
export function refreshTokenGrant(deps: ExchangeDeps): Grant {
  return async (client: AuthenticatedClient, form, origin) => {
    const token = form.get('refresh_token');
    if (token === undefined) {
      throw new OAuthError('invalid_request', 'The parameter refresh_token is missing.');
    }
    const tokenHash = sha256(token);
    const scopes = await readScopes(deps, { client, form, tokenHash });
    const refresh = { tokenHash, scopes, graceBegan: graceBegan(deps.clock.now()) };
    return exchangeForTokens(deps, client, {
      grantType: 'refresh_token',
      what: 'refresh_token',
      refusal: REFUSAL,
      origin,
      exchange: (...facts) => exchangeRefreshToken(refresh, ...facts),
      endReused: (times) => endGrantOfReusedToken(tokenHash, client, times),
    });
  };
}

/** Looked up before, and only when a scope is asked for: a request for too much must not cost the client its token. */
async function readScopes(
  { pool, clock }: ExchangeDeps,
  {
    client,
    form,
    tokenHash,
  }: { readonly client: AuthenticatedClient; readonly form: Form; readonly tokenHash: Buffer },
): Promise<readonly string[] | null> {
  const requested = form.get('scope');
  if (requested === undefined) return null;
  const { rows } = await pool.query<FoundRefreshToken>(selectRefreshToken(tokenHash, clock.now()));
  const [found] = rows;
  // Not found or another's: the exchange will refuse it.
  if (found?.clientRef !== client.id) return null;
  return narrowScopes(narrowScopes(requested, found.scopes).join(' '), client.scopes);
}
