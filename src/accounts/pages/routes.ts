/** The pages of accounts: /login, /logout, /account, and those of links in mails. What goes wrong in them is a page, too. */
import { Hono } from 'hono';
import { AppError } from '../../lib/errors.ts';
import type { HttpEnv } from '../../platform/http/env.ts';
import { errorPage } from '../../platform/pages/error-page.ts';
import { addAccountRoutes } from './account-routes.ts';
import type { PageDeps } from './env.ts';
import { addLoginRoutes } from './login-routes.ts';
import { addPeopleRoutes, type PeoplePagesDeps } from './people-routes.ts';
import { addSecondFactorRoutes } from './second-factor-routes.ts';

/** The routes, to be mounted on the shell. */
export function createAccountPages(deps: PageDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  addLoginRoutes(app, deps);
  addAccountRoutes(app, deps);
  addSecondFactorRoutes(app, deps);
  return withErrorPages(app);
}

/** /forgot, /reset and /invitation, to be mounted on the shell. */
export function createPeoplePages(deps: PeoplePagesDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  addPeopleRoutes(app, deps);
  return withErrorPages(app);
}

function withErrorPages(app: Hono<HttpEnv>): Hono<HttpEnv> {
  return app.onError((error, c) => {
    if (!(error instanceof AppError)) c.get('log').error({ error }, 'a page failed');
    else if (error.code === 'UNAVAILABLE') c.get('log').warn({ error }, 'a page found something unavailable');
    return errorPage(error, c.get('requestId'));
  });
}
