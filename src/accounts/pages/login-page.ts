/** The pages on the way into a session and out of it. */
import { html } from 'hono/html';
import { button, field, form, note } from '../../platform/pages/elements.ts';
import { type Html, pageResponse } from '../../platform/pages/page.ts';
import type { Session } from '../session.ts';
import { type DemoAccounts, demoCard } from './demo-accounts.ts';
import { withReturnTo } from './return-to.ts';

export type LoginPage = {
  readonly token: string;
  readonly returnTo: string;
  readonly email?: string;
  /** Why it is shown once more. */
  readonly error?: string;
  readonly notice?: string;
  readonly demo?: DemoAccounts | undefined;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Asks for address and password. */
export function loginPage(page: LoginPage): Promise<Response> {
  const { token, returnTo, email = '', error, notice, demo } = page;
  const body = html`<section class="card">
<div class="lead"><h1>Sign in</h1><p class="muted">With the account of your school.</p></div>
${notesOf(error, notice)}
${form({
  action: '/login',
  token,
  hidden: { return_to: returnTo },
  body: html`${field({ name: 'email', label: 'Email address', type: 'email', autocomplete: 'username', value: email, autofocus: email === '' })}
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', autofocus: email !== '' })}
${button('Sign in')}`,
})}
<p class="small"><a href="/forgot">Forgot your password?</a></p>
</section>${demo === undefined ? '' : demoCard(demo, { token, returnTo })}`;
  return pageResponse({ title: 'Sign in', body, ...statusAndHeaders(page) });
}

export type CodePage = Pick<LoginPage, 'token' | 'returnTo' | 'status' | 'headers'> & {
  readonly error?: string;
};

/** Asks for the second factor. */
export function codePage(page: CodePage): Promise<Response> {
  const { token, returnTo, error } = page;
  const body = html`<section class="card">
<div class="lead"><h1>One more step</h1><p class="muted">Open your authenticator app and type the code that it shows for Optio Connect.</p></div>
${form({
  action: '/login/code',
  token,
  hidden: { return_to: returnTo },
  body: html`${field({ name: 'code', label: 'Code', autocomplete: 'one-time-code', isCode: true, autofocus: true, error, hint: 'Six digits. Without the app, one of your recovery codes.' })}
${button('Continue')}`,
})}
<p class="small">No app and no recovery code any more? An admin of your organization can reset your second factor.</p>
<p class="small"><a href="${withReturnTo('/login', returnTo)}">Start again with another account</a></p>
</section>`;
  return pageResponse({ title: 'One more step', body, ...statusAndHeaders(page) });
}

/** Asks whether to leave: a link may not sign anybody out. */
export function logoutPage(token: string, session: Session): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>Sign out?</h1><p class="muted">You are signed in as <strong>${session.email}</strong>.</p></div>
${form({ action: '/logout', token, body: button('Sign out') })}
<div class="actions"><a class="button" href="/account">Stay signed in</a></div>
</section>`;
  return pageResponse({ title: 'Sign out', body });
}

function notesOf(error: string | undefined, notice: string | undefined): Html | string {
  if (error !== undefined) return note('bad', error);
  return notice === undefined ? '' : note('good', notice);
}

function statusAndHeaders({ status = 200, headers = {} }: Pick<LoginPage, 'status' | 'headers'>) {
  return { status, headers };
}
