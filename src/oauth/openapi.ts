/** The authorization server as OpenAPI describes it; the routes are in routes.ts. */
import { createRoute, z } from '@hono/zod-openapi';
import { OAUTH_ERROR_CODES, type OAuthErrorCode } from './error.ts';
import { JWKS_PATH, metadataPaths, TOKEN_PATH } from './metadata.ts';

/** The name of the scheme by which clients authenticate in the Authorization header (RFC 6749 2.3.1). */
export const CLIENT_SCHEME = 'client_secret_basic';

const tokenRequest = z
  .object({
    grant_type: z.literal('client_credentials'),
    scope: z.string().optional().openapi({
      description: 'Names, separated by spaces; all that the client is approved for, if left out.',
      example: 'read:webhooks write:events',
    }),
    client_id: z.string().optional().openapi({ description: 'client_secret_post only.' }),
    client_secret: z
      .string()
      .optional()
      .openapi({ format: 'password', description: 'client_secret_post only; never beside the header.' }),
  })
  .openapi('TokenRequest', { description: 'RFC 6749 4.4.2. Each parameter at most once.' });

const tokenResponse = z
  .object({
    access_token: z.string().openapi({ description: 'A JWT (RFC 9068).' }),
    token_type: z.literal('Bearer'),
    expires_in: z.int().openapi({ description: 'Seconds.', example: 3600 }),
    scope: z.string().openapi({ example: 'read:webhooks write:events' }),
  })
  .openapi('TokenResponse', { description: 'RFC 6749 5.1.' });

const oauthError = z
  .object({
    error: z.enum(OAUTH_ERROR_CODES),
    error_description: z.string().openapi({ example: 'The client is unknown or its secret is wrong.' }),
  })
  .openapi('OAuthError', { description: 'RFC 6749 5.2.' });

const jwks = z
  .object({
    keys: z.array(
      z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') }),
    ),
  })
  .openapi('JWKS', { description: 'RFC 7517 5.' });

const authorizationServer = z
  .object({
    issuer: z.url(),
    token_endpoint: z.url(),
    jwks_uri: z.url(),
    scopes_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    grant_types_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
  })
  .openapi('AuthorizationServerMetadata', { description: 'RFC 8414 2.' });

const protectedResource = z
  .object({
    resource: z.url(),
    authorization_servers: z.array(z.url()),
    scopes_supported: z.array(z.string()),
    bearer_methods_supported: z.array(z.string()),
    resource_name: z.string(),
  })
  .openapi('ProtectedResourceMetadata', { description: 'RFC 9728 2.' });

/**
 * The definitions of the routes. For an issuer with a path the metadata is served below another root, too, where
 * clients look for it; that URL lies outside what the document's server is the base of, and is not in it.
 */
export function oauthDefinitions() {
  const paths = metadataPaths('https://issuer.invalid');
  return [
    tokenDefinition(),
    publicDocument(JWKS_PATH, 'getJwks', 'Get the keys that access tokens are signed with', jwks),
    ...paths.authorizationServer.map((path) =>
      publicDocument(
        path,
        'getAuthorizationServerMetadata',
        'Look at the authorization server',
        authorizationServer,
      ),
    ),
    ...paths.protectedResource.map((path) =>
      publicDocument(
        path,
        'getProtectedResourceMetadata',
        'Look at the protected resource',
        protectedResource,
      ),
    ),
  ];
}

function tokenDefinition() {
  const examples = {
    'all scopes': { value: { grant_type: 'client_credentials' } },
    'some scopes': { value: { grant_type: 'client_credentials', scope: 'read:webhooks write:events' } },
  };
  const noStore = {
    'Cache-Control': { schema: { type: 'string' as const, const: 'no-store' }, description: 'RFC 6749 5.1.' },
  };
  return createRoute({
    method: 'post',
    path: TOKEN_PATH,
    operationId: 'requestToken',
    tags: ['OAuth'],
    summary: 'Request an access token',
    description:
      'The client authenticates by the Authorization header (Basic, `client_secret_basic`) or in the body ' +
      '(`client_secret_post`), not by both.',
    security: [{ [CLIENT_SCHEME]: [] }, {}],
    request: {
      body: {
        content: { 'application/x-www-form-urlencoded': { schema: tokenRequest, examples } },
        required: true,
      },
    },
    responses: {
      200: { ...json('A token.', tokenResponse), headers: noStore },
      400: refusal('invalid_request', 'invalid_scope', 'unauthorized_client', 'unsupported_grant_type'),
      401: {
        ...refusal('invalid_client'),
        headers: {
          'WWW-Authenticate': {
            schema: { type: 'string' },
            description: 'Basic, if the client used the Authorization header.',
          },
        },
      },
      413: refusal('invalid_request'),
      500: refusal('server_error'),
      503: refusal('temporarily_unavailable'),
    },
  });
}

function publicDocument(path: string, operationId: string, summary: string, schema: z.ZodType) {
  return createRoute({
    method: 'get',
    path,
    operationId,
    tags: ['OAuth'],
    summary,
    security: [],
    responses: {
      200: json('As it is now; it may be kept for five minutes.', schema),
      500: refusal('server_error'),
      503: refusal('temporarily_unavailable'),
    },
  });
}

function refusal(...codes: readonly OAuthErrorCode[]) {
  return json(`${codes.map((code) => `\`${code}\``).join(', ')}.`, oauthError);
}

function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } };
}
