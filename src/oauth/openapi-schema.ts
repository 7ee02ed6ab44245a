/** The bodies of the authorization server as OpenAPI describes them. */
import { z } from '@hono/zod-openapi';
import { OAUTH_ERROR_CODES } from './error.ts';

const clientParameters = {
  client_id: z.string().optional().openapi({
    description: 'client_secret_post, or a public client, which sends nothing else.',
  }),
  client_secret: z
    .string()
    .optional()
    .openapi({ format: 'password', description: 'client_secret_post only; never beside the header.' }),
};

export const tokenRequest = z
  .object({
    grant_type: z.enum(['client_credentials', 'authorization_code', 'refresh_token']),
    scope: z.string().optional().openapi({
      description:
        'Names, separated by spaces. client_credentials: all that the client is approved for, if left out. refresh_token: less than was granted, never more.',
      example: 'read:webhooks write:events',
    }),
    code: z.string().optional().openapi({ description: 'authorization_code only.' }),
    redirect_uri: z.string().optional().openapi({
      description:
        'authorization_code only: the same as at the authorization endpoint, if it was sent there.',
    }),
    code_verifier: z.string().optional().openapi({
      description: 'authorization_code only: what the code_challenge was made of (RFC 7636).',
    }),
    refresh_token: z.string().optional().openapi({ description: 'refresh_token only.' }),
    ...clientParameters,
  })
  .openapi('TokenRequest', { description: 'RFC 6749 4.1.3, 4.4.2, 6. Each parameter at most once.' });

export const tokenResponse = z
  .object({
    access_token: z.string().openapi({ description: 'A JWT (RFC 9068).' }),
    token_type: z.literal('Bearer'),
    expires_in: z.int().openapi({ description: 'Seconds.', example: 3600 }),
    refresh_token: z.string().optional().openapi({
      description:
        'For a person’s authorization, if the client is registered for it. Good for 30 days and one use; each use gives the next one.',
    }),
    scope: z.string().openapi({ example: 'read:webhooks write:events' }),
  })
  .openapi('TokenResponse', { description: 'RFC 6749 5.1.' });

export const tokenReference = z
  .object({
    token: z.string(),
    token_type_hint: z.string().optional().openapi({
      example: 'refresh_token',
      description: 'A wrong one does no harm.',
    }),
    ...clientParameters,
  })
  .openapi('TokenReference', { description: 'RFC 7009 2.1, RFC 7662 2.1.' });

export const introspection = z
  .object({
    active: z.boolean(),
    scope: z.string().optional(),
    client_id: z.string().optional(),
    token_type: z.literal('Bearer').optional(),
    sub: z
      .string()
      .optional()
      .openapi({ description: 'The user, or the client that acts for its organization.' }),
    iss: z.url().optional(),
    aud: z.url().optional(),
    org: z.uuid().optional().openapi({ description: 'The organization.' }),
    iat: z.int().optional(),
    exp: z.int().optional(),
    jti: z.uuid().optional(),
  })
  .openapi('Introspection', {
    description: 'RFC 7662 2.2. Of a token that is not active nothing else is told.',
  });

export const oauthError = z
  .object({
    error: z.enum(OAUTH_ERROR_CODES),
    error_description: z.string().openapi({ example: 'The client is unknown or its secret is wrong.' }),
  })
  .openapi('OAuthError', { description: 'RFC 6749 5.2.' });

export const jwks = z
  .object({
    keys: z.array(
      z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') }),
    ),
  })
  .openapi('JWKS', { description: 'RFC 7517 5.' });

export const authorizationServer = z
  .object({
    issuer: z.url(),
    authorization_endpoint: z.url(),
    token_endpoint: z.url(),
    revocation_endpoint: z.url(),
    introspection_endpoint: z.url(),
    jwks_uri: z.url(),
    scopes_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    response_modes_supported: z.array(z.string()),
    grant_types_supported: z.array(z.string()),
    code_challenge_methods_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    revocation_endpoint_auth_methods_supported: z.array(z.string()),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
    authorization_response_iss_parameter_supported: z.boolean().openapi({ description: 'RFC 9207.' }),
  })
  .openapi('AuthorizationServerMetadata', { description: 'RFC 8414 2.' });

export const protectedResource = z
  .object({
    resource: z.url(),
    authorization_servers: z.array(z.url()),
    scopes_supported: z.array(z.string()),
    bearer_methods_supported: z.array(z.string()),
    resource_name: z.string(),
  })
  .openapi('ProtectedResourceMetadata', { description: 'RFC 9728 2.' });
