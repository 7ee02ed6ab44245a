/** The authorization code grant at the token endpoint (RFC 6749 4.1.3, RFC 7636 4.5). */
import { sha256 } from '../lib/crypto.ts';
import type { AuthenticatedClient } from './client.ts';
import { OAuthError } from './error.ts';
import { type ExchangeDeps, exchangeForTokens } from './exchange.ts';
import type { Form } from './form.ts';
import { type CodeExchange, endGrantOfReplayedCode, exchangeCode } from './grant-statements.ts';
import { challengeOf } from './pkce.ts';
import type { Grant } from './token.ts';

const REFUSAL =
  'The code is unknown, has expired or was used, or the redirect_uri or code_verifier is not the one it was issued for.';

/**
 * The grant. A code is good once, for its client, with the redirect_uri it was asked for and the verifier of its
 * challenge; a code that was sent without a challenge is good without a verifier only. What is refused is left as it
 * was, so that nobody burns the code of another; a code used before, longer ago than the grace period, ends all that was issued for it
 * (RFC 9700 4.5). Errors: `invalid_request`, `invalid_grant`.
 */
export function authorizationCodeGrant(deps: ExchangeDeps): Grant {
  return async (client: AuthenticatedClient, form, origin) => {
    const code = readCodeExchange(form);
    return exchangeForTokens(deps, client, {
      grantType: 'authorization_code',
      what: 'code',
      refusal: REFUSAL,
      origin,
      exchange: (...facts) => exchangeCode(code, ...facts),
      endReused: (times) => endGrantOfReplayedCode(code.codeHash, client, times),
    });
  };
}

function readCodeExchange(form: Form): CodeExchange {
  const code = form.get('code');
  if (code === undefined) throw new OAuthError('invalid_request', 'The parameter code is missing.');
  const redirectUri = form.get('redirect_uri') ?? null;
  // What no redirect URI of ours holds; the database would not take a NUL.
  if (redirectUri !== null && !/^[!-~]+$/.test(redirectUri)) throw new OAuthError('invalid_grant', REFUSAL);
  return { codeHash: sha256(code), redirectUri, codeChallenge: readChallenge(form.get('code_verifier')) };
}

function readChallenge(verifier: string | undefined): string | null {
  if (verifier === undefined) return null;
  const challenge = challengeOf(verifier);
  if (challenge === undefined) {
    throw new OAuthError(
      'invalid_grant',
      'The code_verifier must have 43 to 128 characters of A-Z a-z 0-9 - . _ ~.',
    );
  }
  return challenge;
}
