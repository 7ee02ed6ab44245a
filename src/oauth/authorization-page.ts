/** The pages of an authorization request that leads nowhere: what is wrong, for the person, and for who runs the app. */
import { html } from 'hono/html';
import { note } from '../platform/pages/elements.ts';
import { type Html, pageResponse } from '../platform/pages/page.ts';
import type { Dead } from './authorization-request.ts';
import { responseUrl } from './authorization-response.ts';
import type { PresentedClient } from './authorization-statements.ts';
import type { Unfit } from './authorize.ts';
import { nameOf } from './consent-page.ts';

type Text = { readonly title: string; readonly what: Html | string; readonly hint?: Html | string };

/** For a request whose client or redirect URI is not right: there is no safe place to go back to (RFC 6749 4.1.2.1). */
export function deadPage(dead: Dead): Promise<Response> {
  const { title, what, hint } = textOf(dead);
  const body = html`<section class="card">
<div class="lead"><h1>${title}</h1><p>${what}</p></div>
${hint === undefined ? '' : note('plain', hint)}
<p class="small muted">Nothing was allowed, and nothing was sent to the app.</p>
</section>`;
  return pageResponse({ title, body, status: dead.fault === 'client_not_approved' ? 403 : 400 });
}

const FOR_DEVELOPERS = 'If you run the app:';

function textOf(dead: Dead): Text {
  switch (dead.fault) {
    case 'too_long':
      return {
        title: 'This link is too long',
        what: 'An app sent you here with more than 4,000 characters of request.',
        hint: html`${FOR_DEVELOPERS} the <code>state</code> is most likely what is too long.`,
      };
    case 'repeated':
      return {
        title: 'This link is broken',
        what: 'An app sent you here with a request that says two different things.',
        hint: html`${FOR_DEVELOPERS} <code>client_id</code> and <code>redirect_uri</code> may be sent once.`,
      };
    case 'client_id_missing':
      return {
        title: 'This link is broken',
        what: 'An app sent you here without saying which one it is.',
        hint: html`${FOR_DEVELOPERS} the parameter <code>client_id</code> is missing.`,
      };
    case 'client_unknown':
      return {
        title: 'This app is not known here',
        what: 'An app sent you here that nobody has registered, or that was deleted.',
        hint: html`${FOR_DEVELOPERS} there is no client with this <code>client_id</code> on this server.`,
      };
    case 'redirect_uri_missing':
    case 'redirect_uri_unknown':
      return redirectUriText(dead);
    case 'client_not_approved':
      break;
  }
  return statusText(dead.client);
}

function redirectUriText({ fault, client, sent = '' }: Extract<Dead, { sent: unknown }>): Text {
  const title = 'This link leads to the wrong place';
  const what = html`It says it is from ${nameOf(client)}, but does not lead back to where this app was registered. Somebody may be trying to get at your data; do not go on from there.`;
  if (fault === 'redirect_uri_missing') {
    const hint = html`${FOR_DEVELOPERS} the parameter <code>redirect_uri</code> is missing, which can be left out only by a client that has registered exactly one.`;
    return { title, what, hint };
  }
  const hint = html`${FOR_DEVELOPERS} <code>${sent.slice(0, MAX_SHOWN_CHARACTERS)}</code> is not among the redirect URIs of the client. They are compared character by character, with scheme, port, slashes and query.`;
  return { title, what, hint };
}

const MAX_SHOWN_CHARACTERS = 200;

function statusText(client: PresentedClient): Text {
  const { status, statusReason, organizationName } = client;
  const name = nameOf(client);
  const hint = statusReason === null ? {} : { hint: html`The reason: ${statusReason}` };
  switch (status) {
    case 'REJECTED':
      return {
        title: 'This app was rejected',
        what: html`${name} of ${organizationName} may not be used here.`,
        ...hint,
      };
    case 'SUSPENDED':
      return {
        title: 'This app is suspended',
        what: html`${name} of ${organizationName} may not be used here at the moment.`,
        ...hint,
      };
    case 'PENDING':
    case 'APPROVED':
      break;
  }
  return {
    title: 'This app is waiting for approval',
    what: html`${name} of ${organizationName} was registered, but the people who run this server have not approved it yet. Try again when they have.`,
  };
}

const ROLES = { ADMIN: 'an admin', EDUCATOR: 'an educator', STUDENT: 'a student' } as const;

/** For a person who can allow this client nothing. The way back tells the client so, if it is taken. */
export function unfitPage({ unfit, request, authorizer }: Unfit, switchUrl: string): Promise<Response> {
  const { client, destination } = request;
  const title = unfit === 'no_member' ? 'This app is for others' : 'Your account is not enough for this';
  const why =
    unfit === 'no_member'
      ? html`${nameOf(client)} is an app of ${client.organizationName}, and you are not a member there.`
      : html`What ${nameOf(client)} asks for is more than ${ROLES[authorizer.role ?? 'STUDENT']} of ${client.organizationName} may allow.`;
  const back = responseUrl(destination, {
    error: 'access_denied',
    error_description: 'The person may not allow this.',
  });
  const body = html`<section class="card">
<div class="lead"><h1>${title}</h1><p>${why}</p></div>
<p class="muted">You are signed in as <strong>${authorizer.email}</strong>.</p>
<div class="actions"><a class="button" href="${switchUrl}">Use another account</a><a class="button" href="${back}" rel="noreferrer">Back to the app</a></div>
</section>`;
  return pageResponse({ title, body, status: 403 });
}
