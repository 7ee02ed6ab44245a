/** The pages of accounts: /login, /logout, /account. What goes wrong in them is a page, too. */
import { Hono } from 'hono';
import { AppError } from '../../lib/errors.ts';
import type { HttpEnv } from '../../platform/http/env.ts';
import { errorPage } from '../../platform/pages/error-page.ts';
import { addAccountRoutes } from './account-routes.ts';
import type { PageDeps } from './env.ts';
import { addLoginRoutes } from './login-routes.ts';
import { addSecondFactorRoutes } from './second-factor-routes.ts';

/** The routes, to be mounted on the shell. */
export function createAccountPages(deps: PageDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  addLoginRoutes(app, deps);
  addAccountRoutes(app, deps);
  addSecondFactorRoutes(app, deps);
  app.onError((error, c) => {
    if (!(error instanceof AppError)) c.get('log').error({ error }, 'a page failed');
    else if (error.code === 'UNAVAILABLE') c.get('log').warn({ error }, 'a page found something unavailable');
    return errorPage(error, c.get('requestId'));
  });
  return app;
}
