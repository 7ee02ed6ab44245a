/**
 * Tracing as the rest of the code sees it: work runs in spans. Where nothing is traced there is no `Trace`, and
 * nothing of OpenTelemetry is loaded. Attributes never hold secrets, bodies, queries or paths that people made.
 */
import { AppError } from '../../lib/errors.ts';

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export type SpanOptions = {
  readonly kind: 'server' | 'client' | 'internal';
  readonly attributes?: Attributes;
  /**
   * Headers: the caller's trace goes on (W3C Trace Context). `none`: a trace of its own begins. Left out: under the
   * span that the code runs in.
   */
  readonly parent?: Headers | 'none';
};

export type ActiveSpan = {
  /** 32 hex digits. */
  readonly traceId: string;
  readonly rename: (name: string) => void;
  readonly set: (attributes: Attributes) => void;
  /** Marks it as failed; `type` is a word of a small set. */
  readonly fail: (type: string) => void;
};

/** Runs `work` in a span, which ends with it. What it throws marks the span, by its kind only, and is thrown on. */
export type Trace = <T>(
  name: string,
  options: SpanOptions,
  work: (span: ActiveSpan) => Promise<T>,
) => Promise<T>;

/** Runs `work` in a span where something is traced, and just so where not. */
export function traced<T>(
  trace: Trace | undefined,
  [name, options]: readonly [name: string, options: SpanOptions],
  work: () => Promise<T>,
): Promise<T> {
  return trace === undefined ? work() : trace(name, options, work);
}

/** The kind of an error, for `error.type`: its code, or the name of its class; never its message. */
export function errorType(error: unknown): string {
  if (error instanceof AppError) return error.code;
  return error instanceof Error ? error.name : typeof error;
}
