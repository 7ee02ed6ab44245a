/**
 * Pages rendered on the server: HTML that needs no script, under a policy that allows none, never framed, never kept.
 * `html` of hono/html escapes what stands in it.
 */
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { brandMark } from './icons.ts';
import { STYLESHEET, STYLESHEET_SOURCE } from './stylesheet.ts';

/** What `html` makes: escaped already. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

export type Page = {
  /** Of the document; the name of the product follows it. */
  readonly title: string;
  /** The cards of the page, one beneath the other; the first one holds the h1. */
  readonly body: Html;
  /** `narrow` (the default): one card in the middle; `wide`: for lists. */
  readonly width?: 'narrow' | 'wide';
  /** What stands at the right of the head of the page: who is signed in, a way out. */
  readonly aside?: Html;
  /** 200, if left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Origins that a form of this page may lead to, beside our own. Chromium holds the redirect after a post to it, too
   * (CSP 3, form-action), so a page whose answer goes back to a client names the client's origin here.
   */
  readonly formOrigins?: readonly string[];
};

/** The answer that shows a page. */
export async function pageResponse(page: Page): Promise<Response> {
  return new Response(String(await documentOf(page)), {
    status: page.status ?? 200,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': policyOf(page.formOrigins ?? []),
      // With no-referrer a browser would send the forms of this page with `Origin: null`.
      'Referrer-Policy': 'same-origin',
      'X-Frame-Options': 'DENY',
      ...page.headers,
    },
  });
}

/** Where a browser goes after a form: 303, so that it asks by GET whatever it sent (RFC 9110 15.4.4). */
export function seeOther(location: string, cookies: readonly string[] = []): Response {
  const response = new Response(null, { status: 303, headers: { Location: location } });
  for (const cookie of cookies) response.headers.append('Set-Cookie', cookie);
  return response;
}

function policyOf(formOrigins: readonly string[]): string {
  return [
    "default-src 'none'",
    `style-src ${STYLESHEET_SOURCE}`,
    'img-src data:',
    // An origin of the URL parser holds nothing that could end the directive; anything else is dropped.
    ["form-action 'self'", ...formOrigins.map(originOf)].join(' ').trim(),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** An application's own scheme has no origin, and an IPv6 address cannot be said in a policy: then the scheme it is. */
function originOf(text: string): string {
  const { origin, protocol, hostname } = new URL(text);
  return origin === 'null' || hostname.startsWith('[') ? protocol : origin;
}

function documentOf({ title, body, aside, width = 'narrow' }: Page): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Optio Connect</title>
<link rel="icon" href="${ICON}">
<style>${raw(STYLESHEET)}</style>
</head>
<body class="${width}">
<header><a class="brand" href="/account">${brandMark()}Optio Connect</a>${aside ?? ''}</header>
<main>${body}</main>
</body>
</html>
`;
}

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="11" fill="none" stroke="#4f46e5" stroke-width="5"/><circle cx="25" cy="7" r="5" fill="#f59e0b"/></svg>',
)}`;
