/** The caller's trace, as W3C Trace Context hands it on in the headers `traceparent` and `tracestate`. */
import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api';

// Later versions may hold more behind the flags; version ff is none (W3C Trace Context 3.2.2).
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const MAX_TRACESTATE = 512;

/** Undefined where there is none, or none that is well-formed: then a new trace begins. */
export function parseTraceparent(headers: Headers): SpanContext | undefined {
  const match = TRACEPARENT.exec(headers.get('traceparent') ?? '');
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', rest] = match;
  if (version === '00' && rest !== undefined) return undefined;
  const state = headers.get('tracestate');
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === null || state.length > MAX_TRACESTATE ? {} : { traceState: createTraceState(state) }),
  };
  return isSpanContextValid(context) ? context : undefined;
}
