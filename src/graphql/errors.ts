/**
 * What becomes of an error that no typed result holds: a refusal keeps its words and gets a code, anything else is
 * logged with its cause and answered as "Unexpected error." with the id of its request.
 */
import { GraphQLError } from 'graphql';
import { AppError, type ErrorCode } from '../lib/errors.ts';

/** The way of an unexpected error into the log. */
export type LogError = (
  details: { readonly error: unknown; readonly requestId: string },
  message: string,
) => void;

export type ErrorTranslation = {
  readonly logError: LogError;
  /** The WWW-Authenticate header for a refusal; undefined when there is none to give. */
  readonly challenge: (error: AppError) => string | undefined;
};

/** One error, as it may leave the server. */
export function translateError(
  error: unknown,
  requestId: string,
  translation: ErrorTranslation,
): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const cause = rootCause(error);
  if (cause instanceof AppError) return refusal(cause, located, translation);
  if (cause instanceof GraphQLError) return withCode(cause, located);
  translation.logError({ error: cause, requestId }, 'An operation failed unexpectedly.');
  return new GraphQLError('Unexpected error.', {
    ...placeOf(located),
    extensions: { code: 'INTERNAL_SERVER_ERROR', requestId, unexpected: true },
  });
}

/** What is meant for the transport (`http`, `unexpected`) left out. */
export function publicExtensions({ extensions }: GraphQLError): Record<string, unknown> {
  const { http: _http, unexpected: _unexpected, ...shown } = extensions;
  return shown;
}

/** The error under the locations that executors wrap around it. */
function rootCause(error: unknown): unknown {
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof GraphQLError; depth += 1) {
    if (cause.originalError === undefined || cause.originalError === null) return cause;
    cause = cause.originalError;
  }
  return cause;
}

function refusal(
  error: AppError,
  located: GraphQLError | undefined,
  { challenge }: ErrorTranslation,
): GraphQLError {
  const { requiredScope, faults, retryAfterSeconds } = error;
  const http = httpOf(error, challenge);
  return new GraphQLError(error.message, {
    ...placeOf(located),
    extensions: {
      code: CODES[error.code],
      ...(requiredScope === undefined ? {} : { requiredScope }),
      ...(faults.length === 0 ? {} : { faults }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(http === undefined ? {} : { http }),
    },
  });
}

const CODES: Readonly<Record<ErrorCode, string>> = {
  BAD_REQUEST: 'BAD_REQUEST',
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  FORBIDDEN: 'FORBIDDEN',
  NOT_FOUND: 'NOT_FOUND',
  CONFLICT: 'CONFLICT',
  VALIDATION: 'BAD_USER_INPUT',
  PAYLOAD_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  RATE_LIMITED: 'RATE_LIMITED',
  UNAVAILABLE: 'UNAVAILABLE',
};

const STATUSES: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  RATE_LIMITED: 429,
  UNAVAILABLE: 503,
};

/** Refusals within an operation leave HTTP at 200 (GraphQL over HTTP 6.4); those of the whole request do not. */
function httpOf(error: AppError, challenge: ErrorTranslation['challenge']) {
  const status = STATUSES[error.code];
  if (status === undefined) return undefined;
  const authenticate = status === 401 || status === 400 ? challenge(error) : undefined;
  return {
    status,
    headers: {
      ...(authenticate === undefined ? {} : { 'WWW-Authenticate': authenticate }),
      ...(error.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(error.retryAfterSeconds) }),
    },
  };
}

/** What the executor itself refuses, such as a variable that does not fit, has no code of its own. */
function withCode(error: GraphQLError, located: GraphQLError | undefined): GraphQLError {
  const outer = located ?? error;
  if (outer === error && error.extensions['code'] !== undefined) return error;
  return new GraphQLError(outer.message, {
    ...placeOf(outer),
    extensions: { code: 'BAD_USER_INPUT', ...error.extensions, ...outer.extensions },
  });
}

function placeOf(error: GraphQLError | undefined) {
  const { nodes, source, positions, path } = error ?? {};
  return {
    ...(nodes === undefined ? {} : { nodes }),
    ...(source === undefined ? {} : { source }),
    ...(positions === undefined ? {} : { positions }),
    ...(path === undefined ? {} : { path }),
  };
}
