/** Errors as the HTTP doors print them: problem details (RFC 9457). */
import { HTTPException } from 'hono/http-exception';
import { AppError, type ErrorCode } from '../../lib/errors.ts';

/** The codes of `AppError`, and those of faults that no feature ever sees. */
export type ProblemCode = ErrorCode | 'METHOD_NOT_ALLOWED' | 'UNSUPPORTED_MEDIA_TYPE' | 'INTERNAL';

/** The members that RFC 9457 names, and ours: `code` for programs, `errors` for the faults of an input. */
export type Problem = {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly request_id: string;
  /** `path` in dots, from the root of the body or the query: `data.user_id`, `events.3.event`. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** The scope that a token would need. */
  readonly required_scope?: string;
};

type StatusLine = { readonly status: number; readonly title: string };

// With type about:blank the title is the status' own phrase (RFC 9457 4.2.1, RFC 9110 15).
const STATUS_LINES = {
  BAD_REQUEST: { status: 400, title: 'Bad Request' },
  UNAUTHENTICATED: { status: 401, title: 'Unauthorized' },
  FORBIDDEN: { status: 403, title: 'Forbidden' },
  NOT_FOUND: { status: 404, title: 'Not Found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method Not Allowed' },
  CONFLICT: { status: 409, title: 'Conflict' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'Content Too Large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported Media Type' },
  VALIDATION: { status: 422, title: 'Unprocessable Content' },
  RATE_LIMITED: { status: 429, title: 'Too Many Requests' },
  INTERNAL: { status: 500, title: 'Internal Server Error' },
  UNAVAILABLE: { status: 503, title: 'Service Unavailable' },
} as const satisfies Record<ProblemCode, StatusLine>;

/** The HTTP status of a code. */
export function statusOf(code: ProblemCode): number {
  return STATUS_LINES[code].status;
}

/** The response for whatever was thrown. An unexpected error shows its request id and nothing else. */
export function problemResponse(error: unknown, requestId: string): Response {
  const problem = toProblem(error, requestId);
  const headers = { 'Content-Type': 'application/problem+json', ...headersOf(error) };
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** A problem without an `AppError`, for what the HTTP layer itself refuses. */
export function makeProblem(code: ProblemCode, detail: string, requestId: string): Problem {
  return { type: 'about:blank', ...STATUS_LINES[code], detail, code, request_id: requestId };
}

function toProblem(error: unknown, requestId: string): Problem {
  if (error instanceof AppError) return fromAppError(error, requestId);
  if (error instanceof HTTPException && error.status === 400) {
    return makeProblem('BAD_REQUEST', 'The body is not well-formed JSON.', requestId);
  }
  if (error instanceof HTTPException && error.status === 415) {
    return makeProblem(
      'UNSUPPORTED_MEDIA_TYPE',
      'Expected a body of the type application/json, and a Content-Type that says so.',
      requestId,
    );
  }
  return makeProblem('INTERNAL', `Something failed on our side; the request id finds it.`, requestId);
}

function fromAppError(error: AppError, requestId: string): Problem {
  const errors = error.faults.map(({ path, message }) => ({ path: path.join('.'), message }));
  return {
    ...makeProblem(error.code, error.message, requestId),
    ...(errors.length === 0 ? {} : { errors }),
    ...(error.requiredScope === undefined ? {} : { required_scope: error.requiredScope }),
  };
}

function headersOf(error: unknown): Record<string, string> {
  if (!(error instanceof AppError) || error.retryAfterSeconds === undefined) return {};
  return { 'Retry-After': String(Math.ceil(error.retryAfterSeconds)) };
}
