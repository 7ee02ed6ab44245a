/**
 * The one error class for what can go wrong in a way the caller may know.
 * Features throw it; every door translates it once into its own form.
 */

/** The closed set of reasons a request can be refused for. */
export type ErrorCode =
  | 'BAD_REQUEST'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'VALIDATION'
  | 'PAYLOAD_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'UNAVAILABLE';

/** One thing that does not fit: `path` leads to it from the root of the input, `message` says what is expected. */
export type Fault = { readonly path: readonly (string | number)[]; readonly message: string };

export type AppErrorOptions = {
  readonly cause?: unknown;
  /** What does not fit, for `VALIDATION`. */
  readonly faults?: readonly Fault[];
  /** The scope that is missing, for `FORBIDDEN`. */
  readonly requiredScope?: string;
  /** The version that the thing has now, for a `CONFLICT` of versions. */
  readonly currentVersion?: number;
  /** What that thing is: its type, as GraphQL calls it, and its id. */
  readonly current?: { readonly type: string; readonly id: string };
  /** When it is worth another try, in seconds, for `RATE_LIMITED` and `UNAVAILABLE`. */
  readonly retryAfterSeconds?: number;
};

/** A refusal with a code for programs and a message for people; nothing in it is secret. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly faults: readonly Fault[];
  readonly requiredScope: string | undefined;
  readonly currentVersion: number | undefined;
  readonly current: AppErrorOptions['current'];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.faults = options.faults ?? [];
    this.requiredScope = options.requiredScope;
    this.currentVersion = options.currentVersion;
    this.current = options.current;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The error for input that was understood but does not fit; its message repeats the first fault. */
export function validationError(faults: readonly Fault[]): AppError {
  const first = faults[0];
  const message = first === undefined ? 'The input does not fit.' : describeFault(first);
  return new AppError('VALIDATION', message, { faults });
}

/** Use it in the default branch of a switch over a union: a new member is then a type error. */
export function unreachable(value: never): never {
  throw new Error(`Not handled: ${JSON.stringify(value)}`);
}

function describeFault(fault: Fault): string {
  return fault.path.length === 0 ? fault.message : `${fault.path.join('.')}: ${fault.message}`;
}
