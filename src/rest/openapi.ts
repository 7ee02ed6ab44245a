/**
 * The OpenAPI 3.1 document of everything but GraphQL, from the definitions of the routes: those of this door, and
 * those that the authorization server and health keep beside theirs. GET /api/openapi.json answers it.
 */
import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { Hono } from 'hono';
import packageJson from '../../package.json' with { type: 'json' };
import { SCOPES } from '../accounts/scope.ts';
import { TOKEN_PATH } from '../oauth/metadata.ts';
import { CLIENT_SCHEME, oauthDefinitions } from '../oauth/openapi.ts';
import { healthDefinitions } from '../platform/http/health-openapi.ts';
import type { RestApp } from './env.ts';
import { EXAMPLE_IDS } from './parameters.ts';
import { json, SECURITY_SCHEMES, SESSION_SCHEME } from './responses.ts';

export type OpenApiOptions = {
  /** The routes of this door. */
  readonly rest: RestApp;
  /** Where the server is reached. */
  readonly publicUrl: string;
};

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

export const OPENAPI_PATH = '/api/openapi.json';

const self = createRoute({
  method: 'get',
  path: OPENAPI_PATH,
  operationId: 'getOpenApi',
  tags: ['Operations'],
  summary: 'Get this document',
  security: [],
  responses: { 200: json('OpenAPI 3.1.', z.looseObject({ openapi: z.string() })) },
});

const TAGS = [
  { name: 'OAuth', description: 'How a client gets a token, and what it is signed with.' },
  {
    name: 'OAuth clients',
    description: 'Registered by admins who have signed in, approved by the platform.',
  },
  { name: 'Token', description: 'What a token stands for.' },
  { name: 'Events', description: 'The catalogue, and emitting.' },
  { name: 'Webhook subscriptions', description: 'Which URL wants which events.' },
  { name: 'Deliveries', description: 'What was sent, and how it went.' },
  { name: 'Replays', description: 'Sending again what was sent, or what was missed.' },
  { name: 'Operations', description: 'Health, and this document.' },
];

/** GET /api/openapi.json, for everybody: it holds nothing of anybody. Printed once, at the first request. */
export function createOpenApiRoutes(options: OpenApiOptions): Hono {
  let printed: string | undefined;
  const app = new Hono();
  app.get(OPENAPI_PATH, (c) => {
    printed ??= JSON.stringify(describeApi(options));
    return c.body(printed, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' });
  });
  return app;
}

/** The document. */
export function describeApi({ rest, publicUrl }: OpenApiOptions): OpenApiDocument {
  const base = publicUrl.replace(/\/$/, '');
  const collected = new OpenAPIHono();
  collected.route('/', rest);
  const registry = collected.openAPIRegistry;
  for (const definition of [...oauthDefinitions(), ...healthDefinitions, self]) {
    registry.registerPath(definition);
  }
  const [oauth2, bearer] = SECURITY_SCHEMES;
  registry.registerComponent('securitySchemes', oauth2, clientCredentials(base + TOKEN_PATH));
  registry.registerComponent('securitySchemes', bearer, ACCESS_TOKEN);
  registry.registerComponent('securitySchemes', CLIENT_SCHEME, CLIENT_SECRET);
  registry.registerComponent('securitySchemes', SESSION_SCHEME, sessionCookie(base));
  return collected.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Optio Connect',
      version: packageJson.version,
      description:
        'Webhooks and events for LMS backends, and the OAuth 2.0 authorization server that issues their tokens. ' +
        'Errors are problem details (RFC 9457); those of the authorization server follow RFC 6749 5.2.',
    },
    servers: [{ url: base }],
    tags: TAGS,
    // Made of nothing real: what there is to try them out with stands at /docs.
    'x-example-ids': EXAMPLE_IDS,
  });
}

const ACCESS_TOKEN = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'An access token that you have already.',
} as const;

const CLIENT_SECRET = {
  type: 'http',
  scheme: 'basic',
  description: 'client_id and client_secret of the client (RFC 6749 2.3.1).',
} as const;

/** The cookie's name is that of accounts/accounts.ts. */
function sessionCookie(base: string) {
  return {
    type: 'apiKey' as const,
    in: 'cookie' as const,
    name: base.startsWith('https:') ? '__Host-optio_session' : 'optio_session',
    description:
      'The session of a person who has signed in at /login. What changes something needs the header X-Requested-With, or to come from a page of this server.',
  };
}

function clientCredentials(tokenUrl: string) {
  const scopes = Object.fromEntries(SCOPES.map(({ name, description }) => [name, description]));
  return {
    type: 'oauth2' as const,
    description: 'A client gets itself an access token, which goes into the header Authorization: Bearer.',
    flows: { clientCredentials: { tokenUrl, scopes } },
  };
}
