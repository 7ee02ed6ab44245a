/** The pages of accounts: /login, /logout, /account, and those of links in mails. What goes wrong in them is a page, too. */
import { Hono } from 'hono';
import type { HttpEnv } from '../../platform/http/env.ts';
import { withErrorPages } from '../../platform/pages/error-page.ts';
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
