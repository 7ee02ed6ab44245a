/** /login, /login/code and /logout. */
import type { Hono } from 'hono';
import { randomAlphanumeric } from '../../lib/crypto.ts';
import { AppError } from '../../lib/errors.ts';
import type { HttpEnv } from '../../platform/http/env.ts';
import { readOwnForm } from '../../platform/pages/own-form.ts';
import { seeOther } from '../../platform/pages/page.ts';
import type { Session } from '../session.ts';
import type { SignInResult } from '../sign-in.ts';
import { browserOf, type PageContext, type PageDeps, readSessionForm, sessionFormToken } from './env.ts';
import { codePage, type LoginPage, loginPage, logoutPage } from './login-page.ts';
import { localPath, withReturnTo } from './return-to.ts';

// One text for whatever is wrong: which accounts there are is nobody's business.
const REFUSED = 'Email address and password do not fit together. Check both and try again.';
const WRONG_CODE = 'This code is not right, or was used before. Type the one that your app shows now.';
const NOTICES: Readonly<Record<string, string>> = {
  'signed-out': 'You are signed out.',
  'password-reset': 'Your new password is set. Sign in with it.',
  joined: 'You are a member now. Sign in to go on.',
  'session-over': 'Your sign-in took too long, or your password was changed. Please sign in again.',
};
const VISIT_CHARACTERS = 43;

/** Adds the routes. Each POST answers 303 when it has done what it was asked. */
export function addLoginRoutes(app: Hono<HttpEnv>, deps: PageDeps): void {
  app.get('/login', (c) => showLogin(deps, c));
  app.post('/login', (c) => login(deps, c));
  app.get('/login/code', (c) => showCode(deps, c));
  app.post('/login/code', (c) => sendCode(deps, c));
  app.get('/logout', (c) => showLogout(deps, c));
  app.post('/logout', (c) => logout(deps, c));
}

async function showLogin(deps: PageDeps, c: PageContext): Promise<Response> {
  const returnTo = localPath(c.req.query('return_to'));
  // Asked for once more, though somebody is signed in: to prove it anew, or to go on with another account.
  const isAgain = c.req.query('again') === '1';
  if (!isAgain && (await deps.guard.find(c.req.raw)) !== undefined) return seeOther(returnTo);
  const notice = NOTICES[c.req.query('note') ?? ''];
  return freshLogin(deps, c, { returnTo, ...(notice === undefined ? {} : { notice }) });
}

/** The form, bound to this browser by a cookie that it is given if it has none (login CSRF). */
async function freshLogin(deps: PageDeps, c: PageContext, page: Omit<LoginPage, 'token'>): Promise<Response> {
  const visit = deps.cookies.visit.read(c.req.raw.headers) ?? randomAlphanumeric(VISIT_CHARACTERS);
  const response = await loginPage({ ...page, demo: deps.demo, token: deps.tokens.issue('login', visit) });
  response.headers.append('Set-Cookie', deps.cookies.visit.set(visit));
  return response;
}

async function login(deps: PageDeps, c: PageContext): Promise<Response> {
  const visit = deps.cookies.visit.read(c.req.raw.headers);
  if (visit === undefined) throw noCookies();
  const form = await readOwnForm(c.req.raw, { ...deps, binding: ['login', visit] });
  const [email, password] = [form.get('email') ?? '', form.get('password') ?? ''];
  const returnTo = localPath(form.get('return_to'));
  try {
    const result = await deps.signIn.byPassword({ email, password, browser: browserOf(c) });
    if (result.kind === 'refused') {
      return await freshLogin(deps, c, { returnTo, email, error: REFUSED, status: 422 });
    }
    return await followUp(deps, c, result, returnTo);
  } catch (error) {
    const retry = retryOf(error);
    return freshLogin(deps, c, { returnTo, email, ...retry });
  }
}

async function showCode(deps: PageDeps, c: PageContext): Promise<Response> {
  const pending = deps.cookies.pending.read(c.req.raw.headers);
  const returnTo = localPath(c.req.query('return_to'));
  if (pending === undefined) return seeOther(withReturnTo('/login', returnTo));
  return codePage({ token: codeToken(deps, pending), returnTo });
}

async function sendCode(deps: PageDeps, c: PageContext): Promise<Response> {
  const pending = deps.cookies.pending.read(c.req.raw.headers);
  if (pending === undefined) return seeOther('/login?note=session-over');
  const form = await readOwnForm(c.req.raw, { ...deps, binding: ['sign-in code', pending] });
  const returnTo = localPath(form.get('return_to'));
  const page = { token: codeToken(deps, pending), returnTo };
  try {
    const code = form.get('code') ?? '';
    const result = await deps.signIn.byCode({ pending, code, browser: browserOf(c) });
    if (result === null) return seeOther('/login?note=session-over', [deps.cookies.pending.clear()]);
    if (result.kind === 'refused') return await codePage({ ...page, error: WRONG_CODE, status: 422 });
    return await followUp(deps, c, result, returnTo);
  } catch (error) {
    return codePage({ ...page, ...retryOf(error) });
  }
}

type Passed = Exclude<SignInResult, { kind: 'refused' }>;

/** On to the code, or into the session; the session that this browser had before ends. */
async function followUp(deps: PageDeps, c: PageContext, result: Passed, returnTo: string): Promise<Response> {
  const { cookies, guard } = deps;
  if (result.kind === 'needs-code') {
    return seeOther(withReturnTo('/login/code', returnTo), [cookies.pending.set(result.pending)]);
  }
  const former = await guard.find(c.req.raw);
  if (former !== undefined) await end(deps, c, former);
  return seeOther(returnTo, [
    cookies.session.set(result.token),
    cookies.pending.clear(),
    cookies.visit.clear(),
  ]);
}

async function showLogout(deps: PageDeps, c: PageContext): Promise<Response> {
  const session = await deps.guard.find(c.req.raw);
  return session === undefined ? seeOther('/login') : logoutPage(sessionFormToken(deps, session), session);
}

async function logout(deps: PageDeps, c: PageContext): Promise<Response> {
  const { guard, cookies } = deps;
  const session = await guard.find(c.req.raw);
  if (session !== undefined) {
    await readSessionForm(deps, c, session);
    await end(deps, c, session);
  }
  return seeOther('/login?note=signed-out', [cookies.session.clear()]);
}

/** That it ended by itself meanwhile is as good. */
async function end({ sessions, record }: PageDeps, c: PageContext, session: Session): Promise<void> {
  const { userId, organizationId, id: sessionId } = session;
  const address = c.get('clientAddress');
  await sessions
    .end(userId, sessionId, (tx) =>
      record({ action: 'session.ended', userId, organizationId, sessionId, address }, tx),
    )
    .catch(ignoreMissing);
}

function codeToken({ tokens }: PageDeps, pending: string): string {
  return tokens.issue('sign-in code', pending);
}

/** The form once more, with what to wait for; anything else is not ours to show. */
function retryOf(error: unknown): Pick<LoginPage, 'status' | 'headers'> & { readonly error: string } {
  if (!(error instanceof AppError) || error.retryAfterSeconds === undefined) throw error;
  return {
    error: error.message,
    status: error.code === 'RATE_LIMITED' ? 429 : 503,
    headers: { 'Retry-After': String(Math.ceil(error.retryAfterSeconds)) },
  };
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
}

function noCookies(): AppError {
  return new AppError(
    'FORBIDDEN',
    'Your browser sent no cookie along, so that this form cannot be told from a forged one. Allow cookies for this page, load it again and sign in.',
  );
}
