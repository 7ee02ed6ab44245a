/** /account/apps and what is done there. */
import { type Context, Hono } from 'hono';
import { readSessionForm, sessionFormToken } from '../accounts/pages/env.ts';
import type { PageGuard } from '../accounts/pages/guard.ts';
import type { Session } from '../accounts/session.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { withErrorPages } from '../platform/pages/error-page.ts';
import type { FormTokens } from '../platform/pages/form-token.ts';
import { seeOther } from '../platform/pages/page.ts';
import type { ConnectedApps } from './connected-app.ts';
import { APPS_PATH, connectedAppsPage, REVOKE_APP_PATH } from './connected-apps-page.ts';
import { originOf } from './request-origin.ts';

export type ConnectedAppsRoutesDeps = {
  /** PUBLIC_URL. */
  readonly publicUrl: string;
  readonly guard: PageGuard;
  readonly tokens: FormTokens;
  readonly connectedApps: ConnectedApps;
};

type Show = (deps: ConnectedAppsRoutesDeps, c: Context<HttpEnv>, session: Session) => Promise<Response>;

/** The routes, to be mounted on the shell. */
export function createConnectedAppsRoutes(deps: ConnectedAppsRoutesDeps): Hono<HttpEnv> {
  const enter = (show: Show) => async (c: Context<HttpEnv>) => {
    const entered = await deps.guard.enter(c.req.raw);
    return entered instanceof Response ? entered : show(deps, c, entered);
  };
  const app = new Hono<HttpEnv>();
  app.get(APPS_PATH, enter(showApps));
  app.post(REVOKE_APP_PATH, enter(revoke));
  return withErrorPages(app);
}

const NOTICE = 'The app is disconnected. Nothing that it holds is good for anything any more.';

async function showApps(
  deps: ConnectedAppsRoutesDeps,
  c: Context<HttpEnv>,
  session: Session,
): Promise<Response> {
  const apps = await deps.connectedApps.list(session.userId);
  const token = sessionFormToken(deps, session);
  return connectedAppsPage({ token, apps, ...(c.req.query('note') === 'revoked' ? { notice: NOTICE } : {}) });
}

async function revoke(
  deps: ConnectedAppsRoutesDeps,
  c: Context<HttpEnv>,
  session: Session,
): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const { userId } = session;
  const source = { ...originOf(c), actor: { kind: 'USER', id: userId, clientId: null } } as const;
  await deps.connectedApps.revoke({ userId, source }, form.get('id') ?? '');
  return seeOther(`${APPS_PATH}?note=revoked`);
}
