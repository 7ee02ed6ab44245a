/** /account and what is done there; / leads to it. */
import type { Hono } from 'hono';
import type { Queryable } from '../../platform/database/pool.ts';
import type { HttpEnv } from '../../platform/http/env.ts';
import { seeOther } from '../../platform/pages/page.ts';
import type { AccountAction } from '../act.ts';
import type { Session } from '../session.ts';
import { accountPage, passwordPage } from './account-page.ts';
import {
  browserOf,
  orShowErrors,
  type PageContext,
  type PageDeps,
  readSessionForm,
  sessionFormToken,
} from './env.ts';

const NOTICES: Readonly<Record<string, string>> = {
  password: 'Your password is changed. Every other browser was signed out.',
  organization: 'You act for another organization now.',
  ended: 'The session has ended.',
  'ended-others': 'You are signed out everywhere else.',
  'second-factor-off': 'Your second factor is off.',
};

/** Adds the routes. Each asks for a session; each POST answers 303 when it has done what it was asked. */
export function addAccountRoutes(app: Hono<HttpEnv>, deps: PageDeps): void {
  const enter =
    (show: (deps: PageDeps, c: PageContext, session: Session) => Promise<Response>) =>
    async (c: PageContext): Promise<Response> => {
      const entered = await deps.guard.enter(c.req.raw);
      return entered instanceof Response ? entered : show(deps, c, entered);
    };
  // Who types the host alone into a browser is looking for a page.
  app.get(
    '/',
    enter(async () => seeOther('/account')),
  );
  app.get('/account', enter(showAccount));
  app.post('/account/organization', enter(switchOrganization));
  app.post('/account/sessions/end', enter(endSession));
  app.post('/account/sessions/end-others', enter(endOthers));
  app.get(
    '/account/password',
    enter((_deps, _c, session) => passwordPage(sessionFormToken(deps, session), session)),
  );
  app.post('/account/password', enter(changePassword));
}

async function showAccount(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const { sessions, secondFactors } = deps;
  const notice = NOTICES[c.req.query('note') ?? ''];
  const [memberships, listed, secondFactor] = await Promise.all([
    sessions.memberships(session.userId),
    sessions.list(session.userId),
    secondFactors.find(session.userId),
  ]);
  return accountPage({
    token: sessionFormToken(deps, session),
    session,
    memberships,
    sessions: listed,
    secondFactor,
    ...(notice === undefined ? {} : { notice }),
  });
}

async function switchOrganization(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const organizationId = form.get('organization_id') ?? '';
  const token = await deps.sessions.switchOrganization(session, organizationId, (tx) =>
    recordAct(deps, c, { ...session, organizationId }, { action: 'session.organization_switched', tx }),
  );
  return seeOther('/account?note=organization', [deps.cookies.session.set(token)]);
}

async function endSession(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const id = form.get('session_id') ?? '';
  await deps.sessions.end(session.userId, id, (tx) =>
    recordAct(deps, c, { ...session, id }, { action: 'session.ended', tx }),
  );
  return seeOther('/account?note=ended');
}

async function endOthers(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  await readSessionForm(deps, c, session);
  await deps.sessions.endOthers(session.userId, session.id, async (tx, ids) => {
    for (const id of ids) await recordAct(deps, c, { ...session, id }, { action: 'session.ended', tx });
  });
  return seeOther('/account?note=ended-others');
}

async function changePassword(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const passwords = { current: form.get('current_password') ?? '', next: form.get('new_password') ?? '' };
  const act = async (): Promise<Response> => {
    const token = await deps.credentials.changePassword({ session, browser: browserOf(c) }, passwords);
    return token === undefined
      ? seeOther('/login?note=session-over', [deps.cookies.session.clear()])
      : seeOther('/account?note=password', [deps.cookies.session.set(token)]);
  };
  return orShowErrors(act, (errors) => passwordPage(sessionFormToken(deps, session), session, errors));
}

async function recordAct(
  { record }: PageDeps,
  c: PageContext,
  { userId, organizationId, id }: Pick<Session, 'userId' | 'organizationId' | 'id'>,
  { action, tx }: { readonly action: AccountAction; readonly tx: Queryable },
): Promise<void> {
  await record({ action, userId, organizationId, sessionId: id, address: c.get('clientAddress') }, tx);
}
