/** The HTTP face of the authorization server. */
import { type Context, Hono } from 'hono';
import { errorResponse, NO_STORE, OAuthError } from './error.ts';
import { readForm } from './form.ts';
import {
  authorizationServerMetadata,
  JWKS_PATH,
  metadataPaths,
  protectedResourceMetadata,
  TOKEN_PATH,
} from './metadata.ts';
import type { SigningKeys } from './signing-key.ts';
import { answerTokenRequest, type TokenEndpointDeps } from './token.ts';

export type OAuthRoutesDeps = TokenEndpointDeps & {
  readonly issuer: string;
  readonly signingKeys: SigningKeys;
  /** Told of every failure that the client sees as `server_error` only. */
  readonly reportError: (error: unknown) => void;
};

// A key is published well before it signs, so a copy may be this old.
const PUBLIC = { 'Cache-Control': 'public, max-age=300' };

/**
 * POST /api/oauth/token, GET /api/oauth/jwks and the two metadata documents; another method is 405 with Allow.
 * Without CORS headers: a confidential client is no page in a browser. Every failure is JSON (RFC 6749 5.2).
 */
export function createOAuthRoutes(deps: OAuthRoutesDeps): Hono {
  const { issuer, signingKeys, grants } = deps;
  const app = new Hono();
  app.post(TOKEN_PATH, (c) => answerToken(deps, c));
  app.get(JWKS_PATH, async (c) => c.json(await signingKeys.jwks(), 200, PUBLIC));
  const paths = metadataPaths(issuer);
  for (const path of paths.authorizationServer) {
    app.get(path, (c) => c.json(authorizationServerMetadata(issuer, grants.keys()), 200, PUBLIC));
  }
  for (const path of paths.protectedResource) {
    app.get(path, (c) => c.json(protectedResourceMetadata(issuer), 200, PUBLIC));
  }
  app.all(TOKEN_PATH, () => refuseMethod('POST'));
  for (const path of [JWKS_PATH, ...paths.authorizationServer, ...paths.protectedResource]) {
    app.all(path, () => refuseMethod('GET, HEAD'));
  }
  app.onError((error) => errorResponse(error, deps.reportError));
  return app;
}

async function answerToken(deps: OAuthRoutesDeps, c: Context): Promise<Response> {
  const form = await readForm(c.req.raw);
  const answer = await answerTokenRequest(deps, form, c.req.header('authorization'));
  return Response.json(answer, { headers: NO_STORE });
}

function refuseMethod(allowed: string): never {
  throw new OAuthError('invalid_request', `This URL answers ${allowed} only.`, {
    status: 405,
    headers: { Allow: allowed },
  });
}
