/**
 * What a browser may make somebody's session do. A page of another origin reads answers only if it is on the list
 * (CORS), and executes nothing by a request that browsers send without asking first (CSRF). A browser adds the cookie of
 * a session to requests of any page; a token it adds to none.
 */

import {
  findForgery,
  hasPreflightHeader,
  isFromOurPage,
  type OwnPages,
  PREFLIGHT_HEADERS,
} from '../platform/http/forged-session.ts';

export type BrowserGuard = {
  /** Whether pages of this origin may use the API. */
  readonly isAllowedOrigin: (origin: string) => boolean;
  /** The answer to a request that is not to be executed: a preflight, or one that could be forged. */
  readonly intercept: (request: Request) => Response | undefined;
  /** The headers with which an answer to this origin goes out. */
  readonly headersFor: (origin: string) => readonly (readonly [string, string])[];
};

const PREFLIGHT_SECONDS = 7_200;
const ALLOWED_HEADERS = ['content-type', 'authorization', 'accept', 'last-event-id', ...PREFLIGHT_HEADERS];
const EXPOSED_HEADERS = ['retry-after', 'www-authenticate', 'ratelimit', 'ratelimit-policy'];
const JSON_BODY = /^application\/(graphql\+)?json\s*(;|$)/i;

/** A guard that lets pages of this server, and of the listed origins, in. */
export function createBrowserGuard(publicUrl: string, listed: readonly string[] = []): BrowserGuard {
  const ownOrigin = new URL(publicUrl).origin;
  const origins = new Set([ownOrigin, ...listed.map((url) => new URL(url).origin)]);
  const isAllowedOrigin = (origin: string): boolean => origins.has(origin);
  const headersFor: BrowserGuard['headersFor'] = (origin) => [
    ['Vary', 'Origin'],
    ...(isAllowedOrigin(origin)
      ? ([
          ['Access-Control-Allow-Origin', origin],
          ['Access-Control-Allow-Credentials', 'true'],
          ['Access-Control-Expose-Headers', EXPOSED_HEADERS.join(', ')],
        ] as const)
      : []),
  ];
  return {
    isAllowedOrigin,
    headersFor,
    intercept: (request) => {
      if (request.method === 'OPTIONS') return preflight(request, isAllowedOrigin);
      return refuseForgeable(request) ?? refuseForgedSession(request.headers, { ownOrigin, isAllowedOrigin });
    },
  };
}

function preflight(request: Request, isAllowedOrigin: (origin: string) => boolean): Response {
  const origin = request.headers.get('origin');
  if (origin === null || !isAllowedOrigin(origin)) return new Response(null, { status: 204 });
  return new Response(null, {
    status: 204,
    headers: {
      'Access-Control-Allow-Methods': 'GET, POST',
      'Access-Control-Allow-Headers': ALLOWED_HEADERS.join(', '),
      'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
    },
  });
}

function refuseForgeable({ method, headers }: Request): Response | undefined {
  if (method === 'POST' && !JSON_BODY.test(headers.get('content-type') ?? '')) {
    return refuse(415, 'UNSUPPORTED_MEDIA_TYPE', 'A POST carries its operation as application/json.');
  }
  if (method === 'GET' && !isUnforgeable(headers)) {
    const message = `A GET needs one of the headers ${['authorization', ...PREFLIGHT_HEADERS].join(', ')}.`;
    return refuse(403, 'CSRF_PREVENTED', message);
  }
  return undefined;
}

/** A header that browsers ask for first, or their own word that the page is ours. */
function isUnforgeable(headers: Headers): boolean {
  return (
    headers.has('authorization') ||
    hasPreflightHeader(headers) ||
    JSON_BODY.test(headers.get('content-type') ?? '') ||
    isFromOurPage(headers)
  );
}

/**
 * Who comes with cookies and without a token may be a session. The type of the body is not enough for it: browsers
 * have let pages send JSON without asking before. Which cookie is the session's does not matter here.
 */
function refuseForgedSession(headers: Headers, pages: OwnPages): Response | undefined {
  if (!headers.has('cookie') || headers.has('authorization')) return undefined;
  const forgery = findForgery(headers, pages);
  return forgery === undefined ? undefined : refuse(403, 'CSRF_PREVENTED', forgery);
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ errors: [{ message, extensions: { code } }] }, { status });
}
