/** GET /demo/receiver in a browser: how the receiver answers, and what came lately. */
import { html } from 'hono/html';
import { time } from '../platform/pages/elements.ts';
import { type Html, pageResponse } from '../platform/pages/page.ts';
import { BEHAVIOURS, type Remembered } from './receiver.ts';

/** The answer that shows the page. */
export function receiverPage(requests: readonly Remembered[]): Promise<Response> {
  return pageResponse({ title: 'Demo receiver', width: 'wide', body: html`${intro()}${list(requests)}` });
}

function intro(): Html {
  return html`<section class="card">
<div class="lead"><h1>Demo receiver</h1>
<p class="muted">Webhooks can be sent here to see what comes of them. Every request is verified; one that does not come
from this server is answered 401.</p></div>
<ul class="rows">${Object.entries(BEHAVIOURS).map(
    ([name, text]) => html`<li><code>/demo/receiver/${name}</code><span>${text}</span></li>`,
  )}</ul>
</section>`;
}

function list(requests: readonly Remembered[]): Html {
  return html`<section class="card">
<h2>What came</h2>
${
  requests.length === 0
    ? html`<p class="muted">Nothing yet. Load the page again in a few seconds.</p>`
    : html`<ul class="rows">${requests.map(row)}</ul>`
}
</section>`;
}

function row({ at, path, event, delivery, verified, fault, answer }: Remembered): Html {
  return html`<li><div><strong>${event ?? 'No event'}</strong> <span class="muted small">${time(new Date(at))}</span><br>
<code>${path}</code>${delivery === null ? '' : html`<br><span class="muted small mono">${delivery}</span>`}</div>
<span>${verified ? html`<span class="tag good">verified</span>` : html`<span class="tag">${fault}</span>`}
<span class="tag">answered ${answer}</span></span></li>`;
}
