/** The client credentials grant (RFC 6749 4.4): a confidential client acts for its organization, without a person. */
import type { AccessTokens } from './access-token.ts';
import { OAuthError } from './error.ts';
import { grantScopes } from './scope.ts';
import type { Grant } from './token.ts';

/**
 * The grant. It issues no refresh token (RFC 6749 4.4.3).
 * Errors: `unauthorized_client` for a public client (RFC 6749 4.4); `invalid_scope`.
 */
export function clientCredentialsGrant(accessTokens: AccessTokens): Grant {
  return async (client, form) => {
    if (client.type !== 'CONFIDENTIAL') {
      throw new OAuthError(
        'unauthorized_client',
        'The grant client_credentials is for confidential clients only.',
      );
    }
    return accessTokens.issueToClient(client, grantScopes(form.get('scope'), client.scopes));
  };
}
