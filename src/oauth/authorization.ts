/** What the authorization server is for people, put together from its parts: its pages, and the apps that they connect. */
import { Hono } from 'hono';
import type { PageGuard } from '../accounts/pages/guard.ts';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { createIdGenerator } from '../lib/ids.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { createFormTokens } from '../platform/pages/form-token.ts';
import type { AuthorizeDeps } from './authorize.ts';
import { createAuthorizeRoutes } from './authorize-routes.ts';
import { type ConnectedApps, createConnectedApps } from './connected-app.ts';
import { createConnectedAppsRoutes } from './connected-apps-routes.ts';
import type { OAuthLimits } from './limits.ts';

export type AuthorizationDeps = Pick<AuthorizeDeps, 'pool'> & {
  readonly clock: Clock;
  readonly keys: MasterKeys;
  /** PUBLIC_URL, byte for byte. */
  readonly issuer: string;
  readonly guard: PageGuard;
  readonly limits: Pick<OAuthLimits, 'perAddress' | 'countGrant'>;
};

export type Authorization = {
  /** /api/oauth/authorize and /account/apps. */
  readonly pages: Hono<HttpEnv>;
  readonly connectedApps: ConnectedApps;
};

/** Composes it. Nothing is read or written before the first request. */
export function createAuthorization(deps: AuthorizationDeps): Authorization {
  const newId = createIdGenerator(() => deps.clock.now().getTime());
  const tokens = createFormTokens(deps.keys);
  const connectedApps = createConnectedApps(deps);
  const pages = new Hono<HttpEnv>()
    .route('/', createAuthorizeRoutes({ ...deps, newId, tokens }))
    .route('/', createConnectedAppsRoutes({ ...deps, publicUrl: deps.issuer, tokens, connectedApps }));
  return { pages, connectedApps };
}
