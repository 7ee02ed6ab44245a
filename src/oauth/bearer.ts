/** Bearer tokens on the resource side (RFC 6750): where a token may stand, and what a refusal says. */
import type { Viewer } from '../accounts/viewer.ts';
import { AppError } from '../lib/errors.ts';

/** Why a request has no viewer. `missing_token` is no error code of RFC 6750: its challenge carries none. */
export type BearerFault = 'missing_token' | 'invalid_token' | 'invalid_request';

/** A request without a usable token: `UNAUTHENTICATED`, or `BAD_REQUEST` for one that is malformed. */
export class BearerError extends AppError {
  readonly fault: BearerFault;

  constructor(fault: BearerFault, message: string, cause?: unknown) {
    super(fault === 'invalid_request' ? 'BAD_REQUEST' : 'UNAUTHENTICATED', message, { cause });
    this.fault = fault;
  }
}

export type BearerRequest = {
  /** The value of the Authorization header. */
  readonly authorization: string | undefined;
  /** Absolute or relative. */
  readonly url: string;
};

const BEARER = /^bearer +([\w\-.~+/]+=*) *$/i;

/**
 * The viewer that the request's token stands for; `verify` answers for the token itself.
 * Errors: `BearerError` without a token, or with one in the query, which ends up in logs (RFC 9700 4.3.2);
 * and what `verify` throws.
 */
export async function authenticateBearer(
  request: BearerRequest,
  verify: (token: string) => Promise<Viewer>,
): Promise<Viewer> {
  const query = new URLSearchParams(request.url.split('?', 2)[1] ?? '');
  if (query.has('access_token')) {
    throw new BearerError('invalid_request', 'An access token belongs into the Authorization header.');
  }
  if (!/^bearer\b/i.test(request.authorization ?? '')) {
    throw new BearerError('missing_token', 'This needs an access token in the Authorization header.');
  }
  const [, token] = BEARER.exec(request.authorization ?? '') ?? [];
  if (token === undefined) throw new BearerError('invalid_token', 'The access token is malformed.');
  return verify(token);
}

/**
 * The WWW-Authenticate header for a refusal (RFC 6750 3, RFC 9728 5.1); undefined when an access token with more
 * in it would not help. `resourceMetadata` is the URL of the protected resource's metadata.
 */
export function challenge(error: AppError, resourceMetadata: string): string | undefined {
  const common = { realm: 'optio', resource_metadata: resourceMetadata };
  if (error instanceof BearerError && error.fault !== 'missing_token') {
    return bearer({ ...common, error: error.fault, error_description: error.message });
  }
  if (error.code === 'UNAUTHENTICATED') return bearer(common);
  if (error.code !== 'FORBIDDEN' || error.requiredScope === undefined) return undefined;
  return bearer({
    ...common,
    error: 'insufficient_scope',
    error_description: error.message,
    scope: error.requiredScope,
  });
}

/** The values are our own words and URLs: none holds a quote or a backslash. */
function bearer(parameters: Readonly<Record<string, string>>): string {
  const list = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return `Bearer ${list.join(', ')}`;
}
