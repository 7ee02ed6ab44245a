/** The authorization server as OpenAPI describes it; the routes are in routes.ts. */
import { createRoute, type RouteConfig, z } from '@hono/zod-openapi';
import type { OAuthErrorCode } from './error.ts';
import { INTROSPECT_PATH, JWKS_PATH, metadataPaths, REVOKE_PATH, TOKEN_PATH } from './metadata.ts';
import { authorizeDefinition } from './openapi-authorize.ts';
import {
  authorizationServer,
  introspection,
  jwks,
  oauthError,
  protectedResource,
  tokenReference,
  tokenRequest,
  tokenResponse,
} from './openapi-schema.ts';

/** The name of the scheme by which clients authenticate in the Authorization header (RFC 6749 2.3.1). */
export const CLIENT_SCHEME = 'client_secret_basic';

const NO_STORE = {
  'Cache-Control': { schema: { type: 'string' as const, const: 'no-store' }, description: 'RFC 6749 5.1.' },
};

/**
 * The definitions of the routes. For an issuer with a path the metadata is served below another root, too, where
 * clients look for it; that URL lies outside what the document's server is the base of, and is not in it.
 */
export function oauthDefinitions() {
  const paths = metadataPaths('https://issuer.invalid');
  return [
    authorizeDefinition(),
    tokenDefinition(),
    revokeDefinition(),
    introspectDefinition(),
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
  return formDefinition({
    path: TOKEN_PATH,
    operationId: 'requestToken',
    summary: 'Request an access token',
    description: 'With a code, a refresh token, or for the client itself.',
    body: tokenRequest,
    examples: {
      'all scopes': { value: { grant_type: 'client_credentials' } },
      'some scopes': { value: { grant_type: 'client_credentials', scope: 'read:webhooks write:events' } },
      'with a code': {
        value: {
          grant_type: 'authorization_code',
          code: 'pT0BqYz9gM3dN1xWc7fKa5VhRj8LsUe2oQiX4rDvEtH',
          redirect_uri: 'https://lms.example/oauth/callback',
          code_verifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
        },
      },
      'with a refresh token': {
        value: { grant_type: 'refresh_token', refresh_token: 'Zr5kQw8nYc2TbXs7LfJd9GmHp4VeAu1RiOo3NtKxBqM' },
      },
    },
    success: { ...json('A token.', tokenResponse), headers: NO_STORE },
    faults: [
      'invalid_request',
      'invalid_grant',
      'invalid_scope',
      'unauthorized_client',
      'unsupported_grant_type',
    ],
  });
}

function revokeDefinition() {
  return formDefinition({
    path: REVOKE_PATH,
    operationId: 'revokeToken',
    summary: 'Revoke a token',
    description:
      'An access token alone, or a refresh token with all that was issued for its authorization (RFC 7009). A token that is unknown or over already is no error.',
    body: tokenReference,
    examples: { token: { value: { token: 'Zr5kQw8nYc2TbXs7LfJd9GmHp4VeAu1RiOo3NtKxBqM' } } },
    success: { ...json('The token is good for nothing any more.', z.object({})), headers: NO_STORE },
    faults: ['invalid_request', 'invalid_grant'],
  });
}

function introspectDefinition() {
  return formDefinition({
    path: INTROSPECT_PATH,
    operationId: 'introspectToken',
    summary: 'Look at a token of the client',
    description: 'What it is good for at this moment (RFC 7662). For confidential clients.',
    body: tokenReference,
    examples: { token: { value: { token: 'Zr5kQw8nYc2TbXs7LfJd9GmHp4VeAu1RiOo3NtKxBqM' } } },
    success: { ...json('What is known of it.', introspection), headers: NO_STORE },
    faults: ['invalid_request', 'unauthorized_client'],
  });
}

type FormDefinition = {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly body: z.ZodType;
  readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
  readonly success: RouteConfig['responses'][string];
  readonly faults: readonly OAuthErrorCode[];
};

/** A form of a client that authenticates. */
function formDefinition({ path, operationId, summary, description, ...more }: FormDefinition) {
  return createRoute({
    method: 'post',
    path,
    operationId,
    tags: ['OAuth'],
    summary,
    description: `${description} The client authenticates by the Authorization header (Basic, \`client_secret_basic\`) or in the body (\`client_secret_post\`), not by both.`,
    security: [{ [CLIENT_SCHEME]: [] }, {}],
    request: {
      body: {
        content: {
          'application/x-www-form-urlencoded': { schema: more.body, examples: { ...more.examples } },
        },
        required: true,
      },
    },
    responses: {
      200: more.success,
      400: refusal(...more.faults),
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
      429: tooOften(),
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
      429: tooOften(),
      500: refusal('server_error'),
      503: refusal('temporarily_unavailable'),
    },
  });
}

function tooOften() {
  const schema = { type: 'integer' as const, minimum: 1 };
  return {
    ...refusal('temporarily_unavailable'),
    headers: {
      'Retry-After': { schema, description: 'Seconds until it is worth another try (RFC 6585 4).' },
    },
  };
}

function refusal(...codes: readonly OAuthErrorCode[]) {
  return json(`${codes.map((code) => `\`${code}\``).join(', ')}.`, oauthError);
}

function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } };
}
