/** The headers of an answer that nothing else was said about: not stored, not framed, not sniffed, no scripts. */
import type { MiddlewareHandler } from 'hono';

const DEFAULTS = {
  'Cache-Control': 'no-store',
  // Right for an API; a page says for itself what it loads.
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

const TWO_YEARS = 'max-age=63072000; includeSubDomains';

/** Sets each header that the handler left out; its own win. `https`: browsers are told to stay with it (RFC 6797). */
export function securityHeaders({ https }: { readonly https: boolean }): MiddlewareHandler {
  const headers = Object.entries(https ? { ...DEFAULTS, 'Strict-Transport-Security': TWO_YEARS } : DEFAULTS);
  return async (c, next) => {
    await next();
    for (const [name, value] of headers) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  };
}
