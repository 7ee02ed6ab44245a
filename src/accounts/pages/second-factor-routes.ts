/** /account/second-factor: to set it up, to renew its recovery codes, to turn it off. */
import type { Hono } from 'hono';
import type { HttpEnv } from '../../platform/http/env.ts';
import type { Form } from '../../platform/pages/own-form.ts';
import { seeOther } from '../../platform/pages/page.ts';
import type { Session } from '../session.ts';
import { lacksSecondFactor } from '../session-viewer.ts';
import {
  browserOf,
  orShowErrors,
  type PageContext,
  type PageDeps,
  readSessionForm,
  sessionFormToken,
} from './env.ts';
import { localPath, withReturnTo } from './return-to.ts';
import { confirmPage, managePage, recoveryCodesPage, setUpPage } from './second-factor-page.ts';

const BASE = '/account/second-factor';
const RECOVERY_CODES = `${BASE}/recovery-codes` as const;
const DISABLE = `${BASE}/disable` as const;

/** Adds the routes. The set-up is open to a session that lacks a second factor and may do nothing else. */
export function addSecondFactorRoutes(app: Hono<HttpEnv>, deps: PageDeps): void {
  app.get(BASE, (c) => withSession(deps, c, (session) => showSecondFactor(deps, c, session)));
  app.post(BASE, (c) => withSession(deps, c, (session) => enable(deps, c, session)));
  for (const action of [RECOVERY_CODES, DISABLE]) {
    app.get(action, (c) =>
      withSession(deps, c, async (session) =>
        (await deps.secondFactors.find(session.userId)) === null
          ? seeOther(BASE)
          : confirmPage({ token: sessionFormToken(deps, session), action }),
      ),
    );
  }
  app.post(RECOVERY_CODES, (c) => withSession(deps, c, (session) => renewRecoveryCodes(deps, c, session)));
  app.post(DISABLE, (c) => withSession(deps, c, (session) => disable(deps, c, session)));
}

/** Not the guard's `enter`, which would send whoever has to come here back to here. */
async function withSession(
  { guard }: PageDeps,
  c: PageContext,
  show: (session: Session) => Promise<Response>,
): Promise<Response> {
  const session = await guard.find(c.req.raw);
  return session === undefined ? seeOther(withReturnTo('/login', BASE)) : show(session);
}

async function showSecondFactor(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const state = await deps.secondFactors.find(session.userId);
  if (state !== null) return managePage(state);
  return setUpPage({
    token: sessionFormToken(deps, session),
    offer: deps.secondFactors.offer({ id: session.userId, email: session.email }),
    returnTo: localPath(c.req.query('return_to')),
    isRequired: isRequired(deps, session),
  });
}

async function enable(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const returnTo = localPath(form.get('return_to'));
  const sealed = form.get('offer') ?? '';
  const offer = deps.secondFactors.reopen({ id: session.userId, email: session.email }, sealed);
  const act = async (): Promise<Response> => {
    const owner = { session, browser: browserOf(c) };
    const { token, recoveryCodes } = await deps.credentials.enableSecondFactor(owner, {
      ...confirmationOf(form),
      sealed,
    });
    const response = await recoveryCodesPage(recoveryCodes, returnTo);
    response.headers.append('Set-Cookie', deps.cookies.session.set(token));
    return response;
  };
  return orShowErrors(act, (errors) =>
    setUpPage({
      token: sessionFormToken(deps, session),
      offer,
      returnTo,
      isRequired: isRequired(deps, session),
      errors,
    }),
  );
}

async function renewRecoveryCodes(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const owner = { session, browser: browserOf(c) };
  return orShowErrors(
    async () =>
      recoveryCodesPage(await deps.credentials.renewRecoveryCodes(owner, confirmationOf(form)), '/account'),
    (errors) => confirmPage({ token: sessionFormToken(deps, session), action: RECOVERY_CODES, errors }),
  );
}

async function disable(deps: PageDeps, c: PageContext, session: Session): Promise<Response> {
  const form = await readSessionForm(deps, c, session);
  const owner = { session, browser: browserOf(c) };
  return orShowErrors(
    async () => {
      const token = await deps.credentials.disableSecondFactor(owner, confirmationOf(form));
      return seeOther('/account?note=second-factor-off', [deps.cookies.session.set(token)]);
    },
    (errors) => confirmPage({ token: sessionFormToken(deps, session), action: DISABLE, errors }),
  );
}

function isRequired({ guard }: PageDeps, session: Session): boolean {
  return guard.requiresSecondFactor && lacksSecondFactor(session);
}

function confirmationOf(form: Form) {
  return { password: form.get('password') ?? '', code: form.get('code') ?? '' };
}
