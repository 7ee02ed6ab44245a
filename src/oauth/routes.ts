/** The HTTP face of the authorization server for programs. */
import { type Context, Hono } from 'hono';
import type { Refusals } from '../audit/refusals.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import type { AuthenticatedClient } from './client.ts';
import { authenticateClient, invalidClient, readClientCredentials } from './client-authentication.ts';
import { corsHeaders } from './cors.ts';
import { type ErrorListeners, errorResponse, NO_STORE, OAuthError } from './error.ts';
import { type Form, readForm } from './form.ts';
import { type IntrospectionDeps, introspectToken } from './introspect.ts';
import {
  authorizationServerMetadata,
  INTROSPECT_PATH,
  JWKS_PATH,
  metadataPaths,
  protectedResourceMetadata,
  REVOKE_PATH,
  TOKEN_PATH,
} from './metadata.ts';
import { revokeToken } from './revoke.ts';
import type { SigningKeys } from './signing-key.ts';
import { answerTokenRequest, requireApproved, type TokenEndpointDeps } from './token.ts';

export type OAuthRoutesDeps = TokenEndpointDeps &
  IntrospectionDeps & {
    readonly signingKeys: SigningKeys;
    /** Told of every failure that the client sees as `server_error` only. */
    readonly reportError: (error: unknown) => void;
    /** Takes note of clients that did not prove themselves. */
    readonly refusals: Pick<Refusals, 'note'>;
  };

// A key is published well before it signs, so a copy may be this old.
const PUBLIC = { 'Cache-Control': 'public, max-age=300' };

/**
 * POST /api/oauth/token, /revoke, /introspect; GET /api/oauth/jwks and the two metadata documents; another method is
 * 405 with Allow. Every failure is JSON (RFC 6749 5.2).
 */
export function createOAuthRoutes(deps: OAuthRoutesDeps): Hono<HttpEnv> {
  const { issuer, signingKeys, grants } = deps;
  const app = new Hono<HttpEnv>();
  app.post(TOKEN_PATH, (c) =>
    answerForm(deps, c, async (form, authorization) =>
      Response.json(await answerTokenRequest(deps, form, authorization), { headers: NO_STORE }),
    ),
  );
  app.post(REVOKE_PATH, (c) =>
    answerForm(deps, c, async (form, authorization) => {
      await revokeToken(deps, await authenticate(deps, form, authorization), form);
      return new Response(null, { headers: NO_STORE });
    }),
  );
  app.post(INTROSPECT_PATH, async (c) => {
    const form = await readForm(c.req.raw);
    const client = await authenticate(deps, form, c.req.header('authorization'));
    requireApproved(client);
    return Response.json(await introspectToken(deps, client, form), { headers: NO_STORE });
  });
  app.get(JWKS_PATH, async (c) => c.json(await signingKeys.jwks(), 200, PUBLIC));
  const paths = metadataPaths(issuer);
  for (const path of paths.authorizationServer) {
    app.get(path, (c) => c.json(authorizationServerMetadata(issuer, grants.keys()), 200, PUBLIC));
  }
  for (const path of paths.protectedResource) {
    app.get(path, (c) => c.json(protectedResourceMetadata(issuer), 200, PUBLIC));
  }
  for (const path of [TOKEN_PATH, REVOKE_PATH, INTROSPECT_PATH]) app.all(path, () => refuseMethod('POST'));
  for (const path of [JWKS_PATH, ...paths.authorizationServer, ...paths.protectedResource]) {
    app.all(path, () => refuseMethod('GET, HEAD'));
  }
  app.onError((error, c) => errorResponse(error, listeners(deps, c)));
  return app;
}

/** Who is told of the errors of a request. */
function listeners({ reportError, refusals }: OAuthRoutesDeps, c: Context<HttpEnv>): ErrorListeners {
  const userAgent = c.req.header('user-agent') ?? null;
  const origin = { address: c.get('clientAddress'), userAgent, requestId: c.get('requestId') };
  return {
    reportError,
    noteRefused: ({ organizationId, id, clientId }) =>
      refusals.note({
        action: 'oauth_client.refused',
        place: { organizationId },
        target: { type: 'OAuthClient', id, label: clientId },
        origin,
      }),
  };
}

/** Answers a form, its failures too; a page of a public client may read the answer. */
async function answerForm(
  deps: OAuthRoutesDeps,
  c: Context<HttpEnv>,
  answer: (form: Form, authorization: string | undefined) => Promise<Response>,
): Promise<Response> {
  const form = await readForm(c.req.raw);
  const authorization = c.req.header('authorization');
  const origin = c.req.header('origin');
  if (origin === undefined) return answer(form, authorization);
  const response = await answer(form, authorization).catch((error: unknown) =>
    errorResponse(error, listeners(deps, c)),
  );
  // Whoever got this far was looked up, and is remembered; only what is public of it is used.
  const headers = corsHeaders(origin, deps.clients.recall(form.get('client_id') ?? ''));
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** The client that proves itself. Errors: `invalid_client`; `invalid_request`. */
async function authenticate(
  { clients }: OAuthRoutesDeps,
  form: Form,
  authorization: string | undefined,
): Promise<AuthenticatedClient> {
  const credentials = readClientCredentials(authorization, form);
  const found = await clients.find(credentials.clientId);
  const client = authenticateClient(found, credentials);
  if (client === undefined) throw invalidClient(credentials.method, found);
  return client;
}

function refuseMethod(allowed: string): never {
  throw new OAuthError('invalid_request', `This URL answers ${allowed} only.`, {
    status: 405,
    headers: { Allow: allowed },
  });
}
