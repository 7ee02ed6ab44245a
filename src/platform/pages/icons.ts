/** The few pictures of the pages, drawn in the colour of the text beside them. */
import { html } from 'hono/html';
import type { Html } from './page.ts';

/** A ring with a waypoint on it. */
export function brandMark(): Html {
  return html`<svg viewBox="0 0 32 32" aria-hidden="true" focusable="false"><circle cx="16" cy="16" r="11" fill="none" stroke="currentColor" stroke-width="5"/><circle cx="25" cy="7" r="5" fill="#f59e0b"/></svg>`;
}

/** Something is wrong. */
export function warningIcon(): Html {
  return html`<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="8.25" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M10 5.75v5" stroke="currentColor" stroke-width="1.75" stroke-linecap="round"/><circle cx="10" cy="13.75" r="1.1" fill="currentColor"/></svg>`;
}

/** Something was done. */
export function doneIcon(): Html {
  return html`<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="8.25" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="m6.5 10.25 2.4 2.4 4.6-5" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
}

/** Something to know. */
export function infoIcon(): Html {
  return html`<svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="8.25" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M10 9.25v5" stroke="currentColor" stroke-width="1.75" stroke-linecap="round"/><circle cx="10" cy="6.25" r="1.1" fill="currentColor"/></svg>`;
}
