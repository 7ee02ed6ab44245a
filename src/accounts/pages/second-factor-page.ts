/** The pages of the second factor. What is shown once, recovery codes, is the answer to the post itself. */
import { html, raw } from 'hono/html';
import { renderSVG } from 'uqr';
import { button, field, form, note, time } from '../../platform/pages/elements.ts';
import { type Html, pageResponse } from '../../platform/pages/page.ts';
import type { SecondFactorState, SecretOffer } from '../second-factor.ts';
import { recoveryCodesLeft, signOutLink, statusFor } from './account-page.ts';
import type { FieldErrors } from './env.ts';

export type SetUpPage = {
  readonly token: string;
  readonly offer: SecretOffer;
  readonly returnTo: string;
  /** Whether nothing else can be done before. */
  readonly isRequired: boolean;
  readonly errors?: FieldErrors;
};

/** Offers a secret to an app, and asks for the code that shows that it is there. */
export function setUpPage({ token, offer, returnTo, isRequired, errors = {} }: SetUpPage): Promise<Response> {
  const body = html`${isRequired ? note('plain', 'Admins need a second factor on this server. It takes a minute.') : ''}
<section class="card">
<div class="lead"><h1>Set up a second factor</h1><p class="muted">Besides your password, an app on your phone will show a code that changes every half minute.</p></div>
<h2>1. Scan this with an authenticator app</h2>
<div class="beside">
<div class="qr" role="img" aria-label="QR code for an authenticator app; the same key stands beside it as text">${qrCode(offer.uri)}</div>
<div class="lead"><p>Any authenticator app will do. On this phone itself, <a href="${offer.uri}">open the app with this link</a>.</p>
<p class="muted">Or type this key into the app:</p><p><code>${offer.text}</code></p></div>
</div>
<h2>2. Show that it works</h2>
${form({
  action: '/account/second-factor',
  token,
  hidden: { offer: offer.sealed, return_to: returnTo },
  body: html`${field({ name: 'code', label: 'Code that the app shows', autocomplete: 'one-time-code', isCode: true, hint: 'Six digits.', error: errors['code'] })}
${field({ name: 'password', label: 'Your password', type: 'password', autocomplete: 'current-password', error: errors['password'] })}
<div class="actions">${button('Turn on')}${isRequired ? '' : html`<a class="button" href="/account">Not now</a>`}</div>`,
})}
</section>`;
  return pageResponse({
    title: 'Set up a second factor',
    width: 'wide',
    aside: signOutLink(),
    body,
    status: statusFor(errors),
  });
}

/** The recovery codes, the only time that they can be read. */
export function recoveryCodesPage(codes: readonly string[], returnTo: string): Promise<Response> {
  const body = html`${note('good', 'Your second factor is on. You will be asked for a code when you sign in.')}
<section class="card">
<div class="lead"><h1>Keep these recovery codes</h1><p>Each of them lets you in once when your phone is not at hand. They are shown only now: print them, or write them down, and keep them apart from your password.</p></div>
<ul class="codes" aria-label="Recovery codes">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>
<div class="actions"><a class="button primary" href="${returnTo}">I have kept them</a></div>
</section>`;
  return pageResponse({ title: 'Recovery codes', width: 'wide', body });
}

/** What can be done about a second factor that is on. */
export function managePage(state: SecondFactorState): Promise<Response> {
  const body = html`<section class="card">
<div class="lead"><h1>Second factor</h1><p class="muted">On since ${time(state.createdAt)}.</p></div>
<ul class="rows">
<li><div><strong>Recovery codes</strong><br><span class="muted">${recoveryCodesLeft(state)}</span></div><a class="button" href="/account/second-factor/recovery-codes">Make new ones</a></li>
<li><div><strong>Another phone or app</strong><br><span class="muted">Turn the second factor off, then set it up anew.</span></div><a class="button" href="/account/second-factor/disable">Turn off</a></li>
</ul>
<p class="small"><a href="/account">Back to your account</a></p>
</section>`;
  return pageResponse({ title: 'Second factor', width: 'wide', aside: signOutLink(), body });
}

export type ConfirmPage = {
  readonly token: string;
  readonly action: '/account/second-factor/recovery-codes' | '/account/second-factor/disable';
  readonly errors?: FieldErrors;
};

const CONFIRMATIONS = {
  '/account/second-factor/recovery-codes': {
    title: 'New recovery codes',
    text: 'The ones that you have will not work any more.',
    label: 'Make new codes',
    kind: 'primary',
  },
  '/account/second-factor/disable': {
    title: 'Turn the second factor off',
    text: 'Your password alone will be enough to sign in. You will be signed out in every other browser.',
    label: 'Turn off',
    kind: 'danger',
  },
} as const;

/** Asks once more for both factors, before what protects the account changes. */
export function confirmPage({ token, action, errors = {} }: ConfirmPage): Promise<Response> {
  const { title, text, label, kind } = CONFIRMATIONS[action];
  const body = html`<section class="card">
<div class="lead"><h1>${title}</h1><p class="muted">${text}</p></div>
${form({
  action,
  token,
  body: html`${field({ name: 'password', label: 'Your password', type: 'password', autocomplete: 'current-password', autofocus: true, error: errors['password'] })}
${field({ name: 'code', label: 'Code', autocomplete: 'one-time-code', isCode: true, hint: 'From your app, or a recovery code.', error: errors['code'] })}
${button(label, kind)}`,
})}
<p class="small"><a href="/account/second-factor">Leave it as it is</a></p>
</section>`;
  return pageResponse({ title, body, status: statusFor(errors) });
}

/** Drawn in paths, whose colours stand in attributes: the policy of pages allows no style but the stylesheet. */
function qrCode(text: string): Html {
  return raw(renderSVG(text, { ecc: 'M', border: 1 }));
}
