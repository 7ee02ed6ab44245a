/** The pages that links in mails lead to, and the one that asks for such a link. */
import { html } from 'hono/html';
import { button, field, form, note } from '../../platform/pages/elements.ts';
import { type Html, pageResponse } from '../../platform/pages/page.ts';
import type { InvitationView } from '../invitation-acceptance.ts';
import { statusFor } from './account-page.ts';
import type { FieldErrors } from './env.ts';

const PASSWORD_HINT = 'At least 12 characters. Several words that do not belong together are good.';

export type ForgotPage = {
  readonly token: string;
  readonly email?: string;
  readonly errors?: FieldErrors;
  /** What to wait for. */
  readonly wait?: { readonly message: string; readonly seconds: number };
};

/** Asks for the address that a link is to be mailed to. */
export function forgotPage({ token, email = '', errors = {}, wait }: ForgotPage): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>Forgot your password?</h1><p class="muted">We mail you a link with which you choose a new one.</p></div>
${wait === undefined ? '' : note('bad', wait.message)}
${form({
  action: '/forgot',
  token,
  body: html`${field({ name: 'email', label: 'Email address', type: 'email', autocomplete: 'username', value: email, autofocus: true, error: errors['email'] })}
${button('Mail me a link')}`,
})}
${backToSignIn()}
</section>`;
  return pageResponse({
    title: 'Forgot your password?',
    body,
    status: wait === undefined ? statusFor(errors) : 429,
    headers: wait === undefined ? {} : { 'Retry-After': String(wait.seconds) },
  });
}

/** The same whether the address has an account. */
export function linkSentPage(): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>Look into your mailbox</h1><p>If there is an account with this address, a mail with a link is on its way. The link is good for one hour.</p></div>
<p class="muted">Nothing there? Look into the folder for unwanted mail, and ask again after five minutes.</p>
${backToSignIn()}
</section>`;
  return pageResponse({ title: 'Look into your mailbox', body });
}

/** Where mail is not configured: plainly, instead of a promise that is not kept. */
export function noMailPage(): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>No mail from here</h1><p>This server cannot send mail, so it cannot help you to a new password by itself. Ask the people who run it: mail has to be configured.</p></div>
${backToSignIn()}
</section>`;
  return pageResponse({ title: 'No mail from here', body, status: 503 });
}

export type ResetPage = {
  readonly token: string;
  /** What the link carries. */
  readonly link: string;
  readonly email: string;
  readonly errors?: FieldErrors;
};

/** Asks for the new password. */
export function resetPage({ token, link, email, errors = {} }: ResetPage): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>Choose a new password</h1><p class="muted">For <strong>${email}</strong>. You will be signed out everywhere.</p></div>
${form({
  action: '/reset',
  token,
  hidden: { token: link },
  body: html`${username(email)}
${field({ name: 'password', label: 'New password', type: 'password', autocomplete: 'new-password', hint: PASSWORD_HINT, autofocus: true, error: errors['password'] })}
${button('Set the password')}`,
})}
</section>`;
  return pageResponse({ title: 'Choose a new password', body, status: statusFor(errors) });
}

/** For a link that cannot be used (any more). */
export function badResetPage(): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>This link is not good any more</h1><p>It was used, it is older than an hour, or you asked for a newer one.</p></div>
<div class="actions"><a class="button primary" href="/forgot">Ask for a new link</a></div>
${backToSignIn()}
</section>`;
  return pageResponse({ title: 'This link is not good any more', body, status: 404 });
}

export type InvitationPage = {
  readonly token: string;
  /** What the link carries. */
  readonly link: string;
  readonly invitation: InvitationView;
  /** As it was typed. */
  readonly name?: string;
  readonly errors?: FieldErrors;
};

const ROLES = { ADMIN: 'an admin', EDUCATOR: 'an educator', STUDENT: 'a student' } as const;

/** Shows who invites, as what, and takes what is needed to join. */
export function invitationPage(page: InvitationPage): Promise<Response> {
  const { token, link, invitation, errors = {} } = page;
  const { organizationName, email, role } = invitation;
  const body = html`<section class="card">
<div class="lead"><h1>${organizationName} invites you</h1><p>You would be <strong>${ROLES[role]}</strong> there, as <strong>${email}</strong>.</p></div>
${form({
  action: '/invitation',
  token,
  hidden: { token: link },
  body: html`${invitation.needsPassword ? newAccount(page) : html`<p class="muted">You have an account already; your password stays.</p>`}
${button(`Join ${organizationName}`)}`,
})}
<p class="small muted">You do not know them? Then leave this page: nothing happens.</p>
</section>`;
  return pageResponse({ title: 'Invitation', body, status: statusFor(errors) });
}

function newAccount({ invitation, name = invitation.name, errors = {} }: InvitationPage): Html {
  return html`${username(invitation.email)}
${field({ name: 'name', label: 'Your name', autocomplete: 'name', value: name, error: errors['name'] })}
${field({ name: 'password', label: 'Choose a password', type: 'password', autocomplete: 'new-password', hint: PASSWORD_HINT, error: errors['password'] })}`;
}

/** For a link that cannot be used (any more). */
export function badInvitationPage(): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>This invitation is not good any more</h1><p>It was accepted, taken back, or has expired, or a newer one was sent. Whoever invited you can send another.</p></div>
<p class="small">Accepted already? <a href="/login">Sign in</a></p>
</section>`;
  return pageResponse({ title: 'This invitation is not good any more', body, status: 404 });
}

/** For password managers, which keep a password under a name. */
function username(email: string): Html {
  return html`<input type="text" name="username" autocomplete="username" value="${email}" hidden>`;
}

function backToSignIn(): Html {
  return html`<p class="small"><a href="/login">Back to sign-in</a></p>`;
}
