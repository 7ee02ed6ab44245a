/** The HTML of GraphiQL, and what it may load and run: its own files, and the API of its own origin. */

/** URLs relative to the page, so that the server may lie below a path that it does not know of. */
export type GraphiQLPage = {
  readonly styles: readonly string[];
  /** Scripts of the old kind, run first. */
  readonly scripts: readonly string[];
  /** ECMAScript modules, run after them. */
  readonly modules: readonly string[];
  /** What the module reads. */
  readonly settings: Readonly<Record<string, unknown>>;
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  // The editor writes style elements and attributes of its own.
  "style-src 'self' 'unsafe-inline'",
  // Its style sheet holds its pictures and fonts.
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Answers the page. Nothing in it comes from a request. */
export function graphiQLPage({ styles, scripts, modules, settings }: GraphiQLPage): Response {
  const html = [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>Optio Connect GraphiQL</title>',
    '<link rel="icon" href="data:,">',
    ...styles.map((href) => `<link rel="stylesheet" href="${href}">`),
    `<script type="application/json" id="settings">${withoutTags(JSON.stringify(settings))}</script>`,
    ...scripts.map((src) => `<script src="${src}" defer></script>`),
    ...modules.map((src) => `<script src="${src}" type="module"></script>`),
    '<main id="graphiql"></main>',
    '<noscript>This page needs JavaScript; the API does not: POST an operation to this URL.</noscript>',
    '',
  ].join('\n');
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-cache',
    Vary: 'Accept',
    'Content-Security-Policy': POLICY,
  };
  return new Response(html, { headers });
}

/** The same JSON; nothing in it ends the element around it. */
function withoutTags(json: string): string {
  return json.replaceAll('<', '\\u003c');
}
