/** OAuth errors (RFC 6749 5.2) and their one translation into a response. */
import { AppError } from '../lib/errors.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';

const STATUS = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  server_error: 500,
  temporarily_unavailable: 503,
} as const;

export type OAuthErrorCode = keyof typeof STATUS;

/** Every code there is. */
export const OAUTH_ERROR_CODES = Object.keys(STATUS) as readonly OAuthErrorCode[]; // The keys of STATUS.

export type OAuthErrorOptions = {
  /** Where another HTTP status than the code's own says more. */
  readonly status?: 405 | 413 | 429;
  /** Further headers of the response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The client that did not prove itself; for the audit log, and in no answer. */
  readonly refused?: RefusedClient;
};

export type RefusedClient = {
  readonly organizationId: string;
  readonly id: string;
  readonly clientId: string;
};

/** A refusal in the words of RFC 6749 5.2; the message is shown to the client as error_description. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly code: OAuthErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly refused: RefusedClient | undefined;

  constructor(code: OAuthErrorCode, message: string, options: OAuthErrorOptions = {}) {
    super(message);
    this.code = code;
    this.status = options.status ?? STATUS[code];
    this.headers = options.headers ?? {};
    this.refused = options.refused;
  }
}

/** No answer of the token endpoint may be stored (RFC 6749 5.1); Pragma is for caches of HTTP/1.0. */
export const NO_STORE = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } as const;

export type ErrorListeners = {
  readonly reportError: (error: unknown) => void;
  /** Told of a client that exists and did not prove itself. */
  readonly noteRefused: (client: RefusedClient) => void;
};

/**
 * The response for whatever was thrown: an `OAuthError` as it is, a database that is away (503) and a client that asks
 * too often (429, RFC 6585 4) as `temporarily_unavailable`, all else as `server_error`, which is reported and says nothing about its cause.
 */
export function errorResponse(error: unknown, { reportError, noteRefused }: ErrorListeners): Response {
  const refusal = toOAuthError(error);
  if (refusal.refused !== undefined) noteRefused(refusal.refused);
  if (refusal.code === 'server_error') reportError(error);
  return Response.json(
    { error: refusal.code, error_description: refusal.message },
    { status: refusal.status, headers: { ...NO_STORE, ...refusal.headers } },
  );
}

function toOAuthError(error: unknown): OAuthError {
  if (error instanceof OAuthError) return error;
  const translated = translateDatabaseError(error);
  if (
    translated instanceof AppError &&
    (translated.code === 'UNAVAILABLE' || translated.code === 'RATE_LIMITED')
  ) {
    const headers = { 'Retry-After': String(translated.retryAfterSeconds ?? 1) };
    const status = translated.code === 'RATE_LIMITED' ? { status: 429 as const } : {};
    return new OAuthError('temporarily_unavailable', translated.message, { headers, ...status });
  }
  return new OAuthError('server_error', 'The server failed at an unexpected place.');
}
