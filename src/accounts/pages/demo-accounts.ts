/** The part of the sign-in page that a demo has: accounts whose password everybody may know, each one click away. */
import { html } from 'hono/html';
import { button, form } from '../../platform/pages/elements.ts';
import type { Html } from '../../platform/pages/page.ts';
import type { MemberRole } from '../statements.ts';

export type DemoAccounts = {
  readonly accounts: readonly { readonly email: string; readonly name: string; readonly role: MemberRole }[];
  /** Of all of them. */
  readonly password: string;
};

export type DemoForm = { readonly token: string; readonly returnTo: string };

const ROLES: Readonly<Record<MemberRole, string>> = {
  ADMIN: 'Admin',
  EDUCATOR: 'Educator',
  STUDENT: 'Student',
};

/** A card with a button for each account; they send what could be typed above. */
export function demoCard({ accounts, password }: DemoAccounts, { token, returnTo }: DemoForm): Html {
  return html`<section class="card">
<div class="lead"><h2>Demo accounts</h2>
<p class="muted">For looking around. The password of all is <code>${password}</code>.</p></div>
<ul class="rows">${accounts.map(
    ({
      email,
      name,
      role,
    }) => html`<li><div><strong>${name}</strong> <span class="tag">${ROLES[role]}</span><br>
<span class="muted small">${email}</span></div>
${form({
  action: '/login',
  token,
  hidden: { return_to: returnTo, email, password },
  body: button(`Sign in as ${name.split(' ')[0] ?? name}`, 'plain'),
})}</li>`,
  )}</ul>
</section>`;
}
