/** What the server tells about itself: authorization server metadata (RFC 8414), protected resource metadata (RFC 9728). */
import { SCOPES } from '../accounts/scope.ts';

/** Where the OAuth endpoints lie below the issuer. */
export const AUTHORIZE_PATH = '/api/oauth/authorize';
export const TOKEN_PATH = '/api/oauth/token';
export const REVOKE_PATH = '/api/oauth/revoke';
export const INTROSPECT_PATH = '/api/oauth/introspect';
export const JWKS_PATH = '/api/oauth/jwks';

const AUTHORIZATION_SERVER = '/.well-known/oauth-authorization-server';
const PROTECTED_RESOURCE = '/.well-known/oauth-protected-resource';

const WITH_SECRET = ['client_secret_basic', 'client_secret_post'] as const;

/** RFC 8414 2, with the member of RFC 9207 3. It names what there is, and no more. */
export function authorizationServerMetadata(issuer: string, grantTypes: Iterable<string>) {
  return {
    issuer,
    authorization_endpoint: urlBelow(issuer, AUTHORIZE_PATH),
    token_endpoint: urlBelow(issuer, TOKEN_PATH),
    revocation_endpoint: urlBelow(issuer, REVOKE_PATH),
    introspection_endpoint: urlBelow(issuer, INTROSPECT_PATH),
    jwks_uri: urlBelow(issuer, JWKS_PATH),
    scopes_supported: SCOPES.map(({ name }) => name),
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: [...grantTypes],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [...WITH_SECRET, 'none'],
    revocation_endpoint_auth_methods_supported: [...WITH_SECRET, 'none'],
    introspection_endpoint_auth_methods_supported: [...WITH_SECRET],
    authorization_response_iss_parameter_supported: true,
  };
}

/** RFC 9728 2. The resource is the server as a whole, protected by itself. */
export function protectedResourceMetadata(issuer: string) {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    scopes_supported: SCOPES.map(({ name }) => name),
    bearer_methods_supported: ['header'],
    resource_name: 'Optio Connect',
  };
}

/**
 * The paths each document is served at: at the root and, for an issuer with a path, with that path inserted behind
 * the well-known one (RFC 8414 3.1, RFC 9728 3.1), where clients look for it.
 */
export function metadataPaths(issuer: string) {
  const path = pathOf(issuer);
  return {
    authorizationServer: [...new Set([AUTHORIZATION_SERVER, AUTHORIZATION_SERVER + path])],
    protectedResource: [...new Set([PROTECTED_RESOURCE, PROTECTED_RESOURCE + path])],
  };
}

/** The URL that challenges name (RFC 9728 5.1). */
export function protectedResourceMetadataUrl(issuer: string): string {
  return new URL(PROTECTED_RESOURCE + pathOf(issuer), issuer).href;
}

function urlBelow(issuer: string, path: string): string {
  return issuer.replace(/\/$/, '') + path;
}

/** The issuer's path without a slash at its end. */
function pathOf(issuer: string): string {
  return new URL(issuer).pathname.replace(/\/$/, '');
}
