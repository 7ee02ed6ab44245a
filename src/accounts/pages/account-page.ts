/** /account: who somebody is here, for which organization, in which browsers, and what protects the account. */
import { html } from 'hono/html';
import { button, field, form, note, time } from '../../platform/pages/elements.ts';
import { type Html, pageResponse } from '../../platform/pages/page.ts';
import type { SecondFactorState } from '../second-factor.ts';
import type { Session } from '../session.ts';
import type { ListedSession, MembershipRow } from '../session-statements.ts';
import { browserName } from './browser-name.ts';
import type { FieldErrors } from './env.ts';

export type AccountPage = {
  readonly token: string;
  readonly session: Session;
  readonly memberships: readonly MembershipRow[];
  readonly sessions: readonly ListedSession[];
  readonly secondFactor: SecondFactorState | null;
  readonly notice?: string;
};

const ROLES = { ADMIN: 'Admin', EDUCATOR: 'Educator', STUDENT: 'Student' } as const;

/** The account, with a form for each thing that can be done at once. */
export function accountPage(page: AccountPage): Promise<Response> {
  const { session, notice } = page;
  const body = html`${notice === undefined ? '' : note('good', notice)}
<section class="card">
<div class="lead"><h1>${session.name}</h1><p class="muted">${session.email}${session.isPlatformAdmin ? html` <span class="tag">Platform admin</span>` : ''}</p></div>
${organizations(page)}
</section>
${protection(page)}
<section class="card"><h2>Connected apps</h2>
<ul class="rows"><li><div class="muted">What you allowed other apps, such as the LMS of your school, to do in your name.</div><a class="button" href="/account/apps">Look at them</a></li></ul></section>
${browsers(page)}`;
  return pageResponse({ title: 'Account', width: 'wide', aside: signOutLink(), body });
}

/** For the head of the pages of somebody who has signed in. */
export function signOutLink(): Html {
  return html`<a class="button" href="/logout">Sign out</a>`;
}

function organizations({ memberships, session, token }: AccountPage): Html {
  if (memberships.length === 0) {
    return note(
      'plain',
      'You are not a member of any organization yet. An admin of your school can invite you.',
    );
  }
  return html`<h2>Organizations</h2>
${session.organizationId === null ? note('plain', 'Choose the organization that you want to act for.') : ''}
<ul class="rows">${memberships.map(
    ({ organizationId, organizationName, role }) => html`<li>
<div><strong>${organizationName}</strong><br><span class="muted">${ROLES[role]}</span></div>
${
  organizationId === session.organizationId
    ? html`<span class="tag good">You act for it now</span>`
    : form({
        action: '/account/organization',
        token,
        hidden: { organization_id: organizationId },
        body: button(`Act for ${organizationName}`, 'plain'),
      })
}</li>`,
  )}</ul>`;
}

function protection({ secondFactor }: AccountPage): Html {
  return html`<section class="card"><h2>Signing in</h2>
<ul class="rows">
<li><div><strong>Password</strong></div><a class="button" href="/account/password">Change password</a></li>
<li><div><strong>Second factor</strong> ${
    secondFactor === null
      ? html`<br><span class="muted">Off. With it, a stolen password is not enough to get in.</span>`
      : html`<span class="tag good">On</span><br><span class="muted">Since ${time(secondFactor.createdAt)}; ${recoveryCodesLeft(secondFactor)}</span>`
  }</div><a class="button" href="/account/second-factor">${secondFactor === null ? 'Set up' : 'Manage'}</a></li>
</ul></section>`;
}

/** In words. */
export function recoveryCodesLeft({ recoveryCodesLeft: left }: SecondFactorState): string {
  return left === 1 ? '1 recovery code left' : `${left} recovery codes left`;
}

function browsers({ sessions, session, token }: AccountPage): Html {
  return html`<section class="card"><h2>Where you are signed in</h2>
<ul class="rows">${sessions.map(
    (one) => html`<li>
<div><strong>${browserName(one.userAgent)}</strong>${one.id === session.id ? html` <span class="tag good">This browser</span>` : ''}<br>
<span class="muted small">Signed in ${time(one.createdAt)}${one.address === null ? '' : html` from ${one.address}`}<br>Last used ${time(one.lastUsedAt)}</span></div>
${
  one.id === session.id
    ? ''
    : form({
        action: '/account/sessions/end',
        token,
        hidden: { session_id: one.id },
        body: button('Sign out there', 'plain'),
      })
}</li>`,
  )}</ul>
${sessions.length > 1 ? form({ action: '/account/sessions/end-others', token, body: html`<div class="actions">${button('Sign out everywhere else', 'danger')}</div>` }) : ''}
</section>`;
}

/** Asks for the present password and a new one. */
export function passwordPage(token: string, session: Session, errors: FieldErrors = {}): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>Change password</h1><p class="muted">You will be signed out in every other browser.</p></div>
${form({
  action: '/account/password',
  token,
  body: html`<input type="text" name="username" autocomplete="username" value="${session.email}" hidden>
${field({ name: 'current_password', label: 'Present password', type: 'password', autocomplete: 'current-password', autofocus: true, error: errors['current_password'] })}
${field({ name: 'new_password', label: 'New password', type: 'password', autocomplete: 'new-password', hint: 'At least 12 characters. Several words that do not belong together are good.', error: errors['new_password'] })}
${button('Change password')}`,
})}
<p class="small"><a href="/account">Back to your account</a></p>
</section>`;
  return pageResponse({ title: 'Change password', body, status: statusFor(errors) });
}

/** A form that did not fit is shown with 422, any other page with 200. */
export function statusFor(errors: FieldErrors): number {
  return Object.keys(errors).length === 0 ? 200 : 422;
}
