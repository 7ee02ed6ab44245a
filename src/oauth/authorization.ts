/** What the authorization server is for people, put together from its parts: its pages. */
import type { Hono } from 'hono';
import type { PageGuard } from '../accounts/pages/guard.ts';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { createIdGenerator } from '../lib/ids.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { createFormTokens } from '../platform/pages/form-token.ts';
import type { AuthorizeDeps } from './authorize.ts';
import { createAuthorizeRoutes } from './authorize-routes.ts';

export type AuthorizationDeps = Pick<AuthorizeDeps, 'pool'> & {
  readonly clock: Clock;
  readonly keys: MasterKeys;
  /** PUBLIC_URL, byte for byte. */
  readonly issuer: string;
  readonly guard: PageGuard;
};

export type Authorization = {
  /** /api/oauth/authorize. */
  readonly pages: Hono<HttpEnv>;
};

/** Composes it. Nothing is read or written before the first request. */
export function createAuthorization(deps: AuthorizationDeps): Authorization {
  const newId = createIdGenerator(() => deps.clock.now().getTime());
  const tokens = createFormTokens(deps.keys);
  return { pages: createAuthorizeRoutes({ ...deps, newId, tokens }) };
}
