/** The HTML of /docs, and what it may load and run: its own files, and the API of its own origin. */

/** URLs relative to the page, so that the server may lie below a path that it does not know of. */
export type DocsPage = {
  readonly styles: readonly string[];
  /** Scripts of the old kind, run first. */
  readonly scripts: readonly string[];
  /** ECMAScript modules, run after them. */
  readonly modules: readonly string[];
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // Swagger UI's style sheet holds its pictures.
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Answers the page. Nothing in it comes from a request, so nothing in it is escaped. */
export function docsPage({ styles, scripts, modules }: DocsPage): Response {
  const html = [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    '<title>Optio Connect API</title>',
    '<link rel="icon" href="data:,">',
    ...styles.map((href) => `<link rel="stylesheet" href="${href}">`),
    ...scripts.map((src) => `<script src="${src}" defer></script>`),
    ...modules.map((src) => `<script src="${src}" type="module"></script>`),
    '<main id="docs"></main>',
    '<noscript>This page needs JavaScript; the document that it shows does not:',
    '<a href="api/openapi.json">OpenAPI 3.1</a>.</noscript>',
    '',
  ].join('\n');
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': POLICY,
  };
  return new Response(html, { headers });
}
