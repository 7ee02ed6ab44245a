/** /account/apps: the apps that may act for somebody, what each may do, and a way to end that. */
import { html } from 'hono/html';
import { button, form, note, time } from '../platform/pages/elements.ts';
import { type Html, pageResponse } from '../platform/pages/page.ts';
import type { ConnectedApp } from './connected-app-statements.ts';
import { nameOf, scopeSentences } from './consent-page.ts';
import { withoutContained } from './scope.ts';

export const APPS_PATH = '/account/apps';
export const REVOKE_APP_PATH = '/account/apps/revoke';

export type ConnectedAppsPage = {
  readonly token: string;
  readonly apps: readonly ConnectedApp[];
  readonly notice?: string;
};

/** The list, with a form for each app. */
export function connectedAppsPage({ token, apps, notice }: ConnectedAppsPage): Promise<Response> {
  const body = html`${notice === undefined ? '' : note('good', notice)}
<section class="card">
<div class="lead"><h1>Connected apps</h1><p class="muted">Apps that you allowed to act in your name. Disconnect one, and what it holds is good for nothing at once.</p></div>
${apps.length === 0 ? empty() : html`<ul class="rows">${apps.map((app) => row(app, token))}</ul>`}
</section>
<p class="small"><a href="/account">Back to your account</a></p>`;
  return pageResponse({ title: 'Connected apps', width: 'wide', body });
}

function empty(): Html {
  return note(
    'plain',
    'No app is connected. When an app, such as the LMS of your school, asks for access and you allow it, it stands here.',
  );
}

function row(app: ConnectedApp, token: string): Html {
  const { id, name, organizationName, createdAt, lastUsedAt } = app;
  return html`<li>
<div>${nameOf(app)}${isStopped(app) ? html` <span class="tag">${STATUSES[app.status]}</span>` : ''}<br>
<span class="muted">An app of ${organizationName}</span>
${scopeSentences(withoutContained(app.scopes))}
<span class="muted small">Allowed ${time(createdAt)}<br>${lastUsedAt === null ? 'Not used yet' : html`Last used ${time(lastUsedAt)}`}</span></div>
${form({
  action: REVOKE_APP_PATH,
  token,
  hidden: { id },
  body: button(`Disconnect ${name}`, 'danger'),
})}</li>`;
}

function isStopped({ status }: ConnectedApp): boolean {
  return status !== 'APPROVED';
}

const STATUSES: Readonly<Record<ConnectedApp['status'], string>> = {
  APPROVED: 'In use',
  PENDING: 'Waiting for approval',
  REJECTED: 'Rejected',
  SUSPENDED: 'Suspended',
};
