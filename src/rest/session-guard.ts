/**
 * Who calls what no access token is good for: a person who has signed in, known by the session's cookie. A browser sends
 * that cookie along with requests of other pages, so that what changes something has to show that it is none of those.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { authorize, type SessionRequirement, type Viewer } from '../accounts/viewer.ts';
import { AppError } from '../lib/errors.ts';
import { findForgery } from '../platform/http/forged-session.ts';
import type { RestDependencies, RestEnv } from './env.ts';
import { enter } from './guard.ts';

/** Lets a request through to its handler, or throws. */
export type SessionGuard = (requirement: SessionRequirement) => MiddlewareHandler<RestEnv>;

const CHANGES_NOTHING = new Set(['GET', 'HEAD']);

/** The guard of the REST routes for people. Answers to them are not stored anywhere. */
export function createSessionGuard(deps: RestDependencies): SessionGuard {
  // Pages of other origins have GraphQL, whose door knows them.
  const pages = { ownOrigin: new URL(deps.publicUrl).origin, isAllowedOrigin: () => false };
  return (requirement) => async (c, next) => {
    c.header('Cache-Control', 'no-store');
    const authorization = c.req.header('authorization');
    // A token is looked at first, so that whoever brings one is told that none is good for it.
    const viewer =
      authorization === undefined
        ? await findSession(deps, c, pages)
        : await deps.authenticate({ authorization, url: c.req.url });
    authorize(viewer, requirement);
    enter(deps, c, viewer);
    await next();
  };
}

async function findSession(
  deps: RestDependencies,
  c: Context<RestEnv>,
  pages: Parameters<typeof findForgery>[1],
): Promise<Viewer> {
  const { headers } = c.req.raw;
  const forgery = CHANGES_NOTHING.has(c.req.method) ? undefined : findForgery(headers, pages);
  if (headers.has('cookie') && forgery !== undefined) throw new AppError('FORBIDDEN', forgery);
  const viewer = await deps.authenticateSession(headers);
  if (viewer !== null) return viewer;
  const message = `This needs a person who has signed in at ${deps.publicUrl}/login; no access token is good for it.`;
  throw new AppError('UNAUTHENTICATED', message);
}
