/**
 * Whether a request with cookies could be one that a page of somebody else made a browser send (CSRF). A browser adds the
 * cookie of a session to requests of any page; what it tells of the page itself, and headers for which it asks first, a
 * page cannot make up.
 */

/** Each of them makes a browser ask first, which is all that is wanted of them. */
export const PREFLIGHT_HEADERS = [
  'graphql-require-preflight',
  'apollo-require-preflight',
  'x-graphql-yoga-csrf',
  'x-requested-with',
] as const;

export type OwnPages = {
  readonly ownOrigin: string;
  /** Whether pages of another origin may use a session, if they ask first. */
  readonly isAllowedOrigin: (origin: string) => boolean;
};

/** Why the request may be forged; undefined: it is from our own page, or from somebody whom a browser asked for leave. */
export function findForgery(headers: Headers, { ownOrigin, isAllowedOrigin }: OwnPages): string | undefined {
  if (isFromOurPage(headers)) return undefined;
  const origin = headers.get('origin');
  if (origin === ownOrigin) return undefined;
  if (origin !== null && !isAllowedOrigin(origin)) return 'Pages of another origin cannot use a session.';
  if (hasPreflightHeader(headers)) return undefined;
  return `A request with cookies needs one of the headers ${PREFLIGHT_HEADERS.join(', ')}.`;
}

export function hasPreflightHeader(headers: Headers): boolean {
  return PREFLIGHT_HEADERS.some((name) => headers.has(name));
}

/** Browsers say so themselves; no page can make them (Fetch Metadata). */
export function isFromOurPage(headers: Headers): boolean {
  return headers.get('sec-fetch-site') === 'same-origin';
}
