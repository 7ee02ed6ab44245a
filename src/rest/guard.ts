/** Who calls: the bearer token becomes the context that the features are called with. */
import type { Context, MiddlewareHandler } from 'hono';
import { authorize, type Requirement, requestContext, type Viewer } from '../accounts/viewer.ts';
import type { RequestOrigin } from '../audit/entry.ts';
import { AppError } from '../lib/errors.ts';
import type { RestDependencies, RestEnv } from './env.ts';

/** Lets a request through to its handler, or throws. Without a requirement any token is good enough. */
export type Guard = (requirement?: Requirement) => MiddlewareHandler<RestEnv>;

/**
 * The guard of the REST routes. It asks for the scope before the body is looked at, so that a caller who may not
 * do it at all is not sent from fault to fault; the feature itself decides.
 */
export function createGuard(deps: RestDependencies): Guard {
  return (requirement) => async (c, next) => {
    const viewer = await deps.authenticate({ authorization: c.req.header('authorization'), url: c.req.url });
    // A browser sends a session's cookie along with other sites' requests, which nothing here would notice.
    if (viewer.scopes === null)
      throw new AppError('UNAUTHENTICATED', 'This needs an access token, not a session.');
    c.set('organizationId', viewer.organizationId);
    if (requirement !== undefined) authorize(viewer, requirement);
    enter(deps, c, viewer);
    await next();
  };
}

/** Gives the handler the features on behalf of the viewer. */
export function enter(deps: RestDependencies, c: Context<RestEnv>, viewer: Viewer): void {
  c.set('organizationId', viewer.organizationId);
  c.set('context', { ...requestContext(deps.tenancy, viewer, originOf(c)), ...featureDependencies(deps) });
}

/** Adds the challenge to a refusal (RFC 9110 11.6.1); the error itself is printed by the HTTP shell. */
export function bearerChallenge({
  challenge,
}: Pick<RestDependencies, 'challenge'>): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    await next();
    if (!(c.error instanceof AppError)) return;
    const value = challenge(c.error);
    if (value !== undefined) c.res.headers.set('WWW-Authenticate', value);
  };
}

function originOf(c: Context<RestEnv>): RequestOrigin {
  const userAgent = c.req.header('user-agent') ?? null;
  return { address: c.get('clientAddress'), userAgent, requestId: c.get('requestId') };
}

function featureDependencies({ clock, keys, targetPolicy, wakeLanes, trace }: RestDependencies) {
  return { clock, keys, targetPolicy, wakeLanes, trace };
}
