/** The HTTP face of the authorization server for programs. */
import { type Context, Hono } from 'hono';
import type { RequestOrigin } from '../audit/entry.ts';
import type { Refusals } from '../audit/refusals.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import type { AuthenticatedClient } from './client.ts';
import {
  authenticateClient,
  claimedClientId,
  invalidClient,
  readClientCredentials,
} from './client-authentication.ts';
import { corsHeaders } from './cors.ts';
import { type ErrorListeners, errorResponse, NO_STORE, OAuthError } from './error.ts';
import { type Form, readForm } from './form.ts';
import { type IntrospectionDeps, introspectToken } from './introspect.ts';
import type { OAuthLimits } from './limits.ts';
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
import {
  type Admit,
  answerTokenRequest,
  type Caller,
  requireApproved,
  type TokenEndpointDeps,
} from './token.ts';

export type OAuthRoutesDeps = TokenEndpointDeps &
  IntrospectionDeps & {
    readonly signingKeys: SigningKeys;
    readonly limits: OAuthLimits;
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
  const { issuer, signingKeys, grants, limits } = deps;
  const app = new Hono<HttpEnv>();
  app.post(TOKEN_PATH, limits.perAddress, (c) =>
    answerForm(deps, c, async (request) =>
      Response.json(await answerTokenRequest(deps, request.form, request), { headers: NO_STORE }),
    ),
  );
  app.post(REVOKE_PATH, limits.perAddress, (c) =>
    answerForm(deps, c, async (request) => {
      await revokeToken(deps, await authenticate(deps, request), request.form);
      // Its content means nothing (RFC 7009 2.2), but there are clients that read every answer as JSON (simple-oauth2).
      return Response.json({}, { headers: NO_STORE });
    }),
  );
  app.post(INTROSPECT_PATH, limits.perAddress, async (c) => {
    const request = await readRequest(deps, c);
    return countFailures(deps, c, request, async () => {
      const client = await authenticate(deps, request);
      requireApproved(client);
      return Response.json(await introspectToken(deps, client, request.form), { headers: NO_STORE });
    });
  });
  app.get(JWKS_PATH, limits.perAddress, async (c) => c.json(await signingKeys.jwks(), 200, PUBLIC));
  const paths = metadataPaths(issuer);
  for (const path of paths.authorizationServer) {
    app.get(path, limits.perAddress, (c) =>
      c.json(authorizationServerMetadata(issuer, grants.keys()), 200, PUBLIC),
    );
  }
  for (const path of paths.protectedResource) {
    app.get(path, limits.perAddress, (c) => c.json(protectedResourceMetadata(issuer), 200, PUBLIC));
  }
  for (const path of [TOKEN_PATH, REVOKE_PATH, INTROSPECT_PATH]) app.all(path, () => refuseMethod('POST'));
  for (const path of [JWKS_PATH, ...paths.authorizationServer, ...paths.protectedResource]) {
    app.all(path, () => refuseMethod('GET, HEAD'));
  }
  app.onError((error, c) => errorResponse(error, listeners(deps, c)));
  return app;
}

type ClientRequest = Caller & { readonly form: Form };

async function readRequest({ limits }: OAuthRoutesDeps, c: Context<HttpEnv>): Promise<ClientRequest> {
  const form = await readForm(c.req.raw);
  let counting: Promise<void> | undefined;
  const admit: Admit = ({ clientId }) => {
    // A request counts once, however often it is attempted.
    counting ??= limits.countClient(clientId, c.get('clientAddress'));
    return counting;
  };
  return { form, authorization: c.req.header('authorization'), origin: originOf(c), admit };
}

/** Answers; a client that does not prove itself is counted, and told to wait when it has tried too often. */
async function countFailures(
  { limits }: OAuthRoutesDeps,
  c: Context<HttpEnv>,
  { form, authorization }: ClientRequest,
  answer: () => Promise<Response>,
): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof OAuthError && error.code === 'invalid_client') {
      await limits.countFailure(claimedClientId(authorization, form), c.get('clientAddress'));
    }
    throw error;
  }
}

/** Who is told of the errors of a request. */
function listeners({ reportError, refusals }: OAuthRoutesDeps, c: Context<HttpEnv>): ErrorListeners {
  const origin = originOf(c);
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

function originOf(c: Context<HttpEnv>): RequestOrigin {
  const userAgent = c.req.header('user-agent') ?? null;
  return { address: c.get('clientAddress'), userAgent, requestId: c.get('requestId') };
}

/** Answers a form, its failures too; a page of a public client may read the answer. */
async function answerForm(
  deps: OAuthRoutesDeps,
  c: Context<HttpEnv>,
  answer: (request: ClientRequest) => Promise<Response>,
): Promise<Response> {
  const request = await readRequest(deps, c);
  const answered = countFailures(deps, c, request, () => answer(request));
  const origin = c.req.header('origin');
  if (origin === undefined) return answered;
  const response = await answered.catch((error: unknown) => errorResponse(error, listeners(deps, c)));
  // Whoever got this far was looked up, and is remembered; only what is public of it is used.
  const headers = corsHeaders(origin, deps.clients.recall(request.form.get('client_id') ?? ''));
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** The client that proves itself. Errors: `invalid_client`; `invalid_request`; `RATE_LIMITED`. */
async function authenticate(
  { clients }: OAuthRoutesDeps,
  { form, authorization, admit }: ClientRequest,
): Promise<AuthenticatedClient> {
  const credentials = readClientCredentials(authorization, form);
  const found = await clients.find(credentials.clientId);
  const client = authenticateClient(found, credentials);
  if (client === undefined) throw invalidClient(credentials.method, found);
  await admit(client);
  return client;
}

function refuseMethod(allowed: string): never {
  throw new OAuthError('invalid_request', `This URL answers ${allowed} only.`, {
    status: 405,
    headers: { Allow: allowed },
  });
}
