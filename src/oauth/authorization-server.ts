/** The authorization server, put together from its parts, as the composition root uses it. */
import type { Hono } from 'hono';
import type { Pool } from 'pg';
import type { Viewer } from '../accounts/viewer.ts';
import type { Refusals } from '../audit/refusals.ts';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import type { AppError } from '../lib/errors.ts';
import { createIdGenerator } from '../lib/ids.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { createAccessTokens } from './access-token.ts';
import { createAccessTokenVerifier } from './access-token-verifier.ts';
import { authenticateBearer, type BearerRequest, challenge } from './bearer.ts';
import { createClients } from './client.ts';
import { type ClientReviews, createClientReviews } from './client-review.ts';
import type { ReuseReport } from './exchange.ts';
import { authorizationCodeGrant } from './grant-authorization-code.ts';
import { clientCredentialsGrant } from './grant-client-credentials.ts';
import { refreshTokenGrant } from './grant-refresh-token.ts';
import { createOAuthLimits, OAUTH_LIMITS, type OAuthLimitSettings, type OAuthLimits } from './limits.ts';
import { protectedResourceMetadataUrl } from './metadata.ts';
import { createOAuthRoutes } from './routes.ts';
import { createSigningKeys, type SigningAlgorithm } from './signing-key.ts';
import type { Grant } from './token.ts';

export type OAuthDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly masterKeys: MasterKeys;
  /** PUBLIC_URL, byte for byte. */
  readonly issuer: string;
  readonly clock: Clock;
  /** Told of every failure that a client sees as `server_error` only. */
  readonly reportError: (error: unknown) => void;
  /** Told when a code or refresh token was used again and its grant was ended for that. */
  readonly onReuse: (report: ReuseReport) => void;
  /** Takes note of clients that did not prove themselves. */
  readonly refusals: Pick<Refusals, 'note'>;
  /** Of the signing keys that are made from now on; ES256 if left out. */
  readonly signingAlgorithm?: SigningAlgorithm;
  readonly newId?: () => string;
  /** OAUTH_LIMITS, if left out. */
  readonly limits?: OAuthLimitSettings;
};

export type OAuth = {
  readonly routes: Hono<HttpEnv>;
  /** For what else is asked in the authorization server's name, such as its pages. */
  readonly limits: OAuthLimits;
  /** The viewer a request's bearer token stands for. Errors: `BearerError`; `UNAVAILABLE`. */
  readonly authenticate: (request: BearerRequest) => Promise<Viewer>;
  /** Those of the viewers whose tokens still hold: for what outlives its request, such as a stream. */
  readonly findHeld: (viewers: readonly Viewer[]) => Promise<ReadonlySet<Viewer>>;
  /** Clients of all organizations, for admins of the platform. */
  readonly clientReviews: ClientReviews;
  /** The WWW-Authenticate header for a refusal; undefined when there is none to give. */
  readonly challenge: (error: AppError) => string | undefined;
};

/** Composes the authorization server. Nothing is read or written before the first request. */
export function createOAuth(deps: OAuthDeps): OAuth {
  const { pool, issuer, clock } = deps;
  const newId = deps.newId ?? createIdGenerator(() => clock.now().getTime());
  const signingKeys = createSigningKeys(deps);
  const accessTokens = createAccessTokens({ pool, signingKeys, issuer, clock, newId });
  const verifier = createAccessTokenVerifier({ pool, signingKeys, issuer, clock });
  const clients = createClients({ pool, clock });
  const exchange = { pool, accessTokens, clock, newId, onReuse: deps.onReuse };
  const grants = new Map<string, Grant>([
    ['authorization_code', authorizationCodeGrant(exchange)],
    ['refresh_token', refreshTokenGrant(exchange)],
    ['client_credentials', clientCredentialsGrant(accessTokens)],
  ]);
  const limits = createOAuthLimits(deps.limits ?? OAUTH_LIMITS);
  const resourceMetadata = protectedResourceMetadataUrl(issuer);
  return {
    routes: createOAuthRoutes({ ...deps, signingKeys, clients, grants, verifier, limits }),
    limits,
    authenticate: (request) => authenticateBearer(request, verifier.verify),
    findHeld: verifier.findHeld,
    clientReviews: createClientReviews({ pool, clock }),
    challenge: (error) => challenge(error, resourceMetadata),
  };
}
