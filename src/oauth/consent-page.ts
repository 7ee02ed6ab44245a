/** The consent page: who asks for what, where it goes, for how long, and how to take it back. */
import { html } from 'hono/html';
import { SCOPES, type Scope, type ScopeInfo } from '../accounts/scope.ts';
import { choice, form } from '../platform/pages/elements.ts';
import { type Html, pageResponse } from '../platform/pages/page.ts';
import type { PresentedClient } from './authorization-statements.ts';
import type { Proposal } from './authorize.ts';

export type ConsentPage = {
  readonly proposal: Proposal;
  /** Bound to what the page shows. */
  readonly token: string;
  /** The request itself, which the decision is posted to. */
  readonly action: string;
  /** Where to go on with another account. */
  readonly switchUrl: string;
};

/** Asks the person. Both answers weigh the same: same size, same colour, neither by the Enter key. */
export function consentPage({ proposal, token, action, switchUrl }: ConsentPage): Promise<Response> {
  const { request, authorizer } = proposal;
  const { client, destination } = request;
  const body = html`<section class="card">
<div class="lead"><h1>${nameOf(client)} asks for access</h1>
<p class="muted">An app of <strong>${client.organizationName}</strong>. It wants to do this in your name:</p></div>
${scopeList(proposal)}
${facts(client, destination.redirectUri)}
${form({
  action,
  token,
  body: html`<div class="choice">${choice('Deny', { name: 'decision', value: 'deny' })}${choice('Allow', { name: 'decision', value: 'allow' })}</div>`,
})}
<p class="small muted">You are signed in as <strong>${authorizer.name}</strong> (${authorizer.email}). <a href="${switchUrl}">Use another account</a></p>
</section>`;
  return pageResponse({
    title: `${client.name} asks for access`,
    body,
    formOrigins: [destination.redirectUri],
  });
}

/** What an app calls itself: set apart, so that a name written from right to left does not turn our words around. */
export function nameOf({ name }: Pick<PresentedClient, 'name'>): Html {
  return html`<strong><bdi>${name}</bdi></strong>`;
}

/** The scopes as sentences, with their risk in words. */
export function scopeSentences(
  scopes: readonly Scope[],
  isNew: (scope: Scope) => boolean = () => false,
): Html {
  const infos = SCOPES.filter(({ name }) => scopes.includes(name));
  return html`<ul class="scopes">${infos.map(
    (info) =>
      html`<li>${info.description} <span class="small muted">${RISKS[info.risk]}</span>${isNew(info.name) ? html` <span class="tag">New</span>` : ''}</li>`,
  )}</ul>`;
}

const RISKS: Readonly<Record<ScopeInfo['risk'], string>> = {
  low: 'Low risk',
  medium: 'Medium risk',
  high: 'High risk',
};

/** What was allowed before is told apart only where something was. */
function scopeList({ scopes, newScopes, authorizer }: Proposal): Html {
  const isAnythingOld = authorizer.consentedScopes.length > 0;
  return scopeSentences(scopes, (scope) => isAnythingOld && newScopes.includes(scope));
}

function facts(client: PresentedClient, redirectUri: string): Html {
  const { homepageUrl, policyUrl } = client;
  const more = [linkTo('Homepage', homepageUrl), linkTo('Privacy policy', policyUrl)];
  return html`<dl class="facts">
<div><dt>Your browser goes back to</dt><dd>${placeOf(redirectUri)}</dd></div>
<div><dt>For how long</dt><dd>${durationOf(client)}</dd></div>
<div><dt>To take it back</dt><dd>Disconnect it under <a href="/account/apps">Connected apps</a> in your account, at any time.</dd></div>
</dl>${more.every((link) => link === '') ? '' : html`<p class="small">${more}</p>`}`;
}

/** The host, as browsers show it; what stays on this device is said to. */
function placeOf(redirectUri: string): Html {
  const { protocol, host, hostname } = new URL(redirectUri);
  if (protocol !== 'https:' && protocol !== 'http:')
    return html`an app on this device (<code>${protocol}</code>)`;
  const isHere = hostname === '127.0.0.1' || hostname === '[::1]' || hostname === 'localhost';
  return isHere ? html`a program on this device (<code>${host}</code>)` : html`<strong>${host}</strong>`;
}

function durationOf({ grantTypes }: PresentedClient): string {
  return grantTypes.includes('refresh_token')
    ? 'Until you disconnect it; after 90 days, or 30 without use, it has to come back here.'
    : 'For one hour; then it has to come back here.';
}

/** Shown for what can be opened safely only; the address is the app's own word. */
function linkTo(label: string, url: string | null): Html | string {
  if (url === null || !/^https?:\/\//i.test(url)) return '';
  return html`<a href="${url}" rel="noreferrer">${label}</a> `;
}
