/** Traces by OpenTelemetry, sent by OTLP over HTTP. The only importer of its SDK, and itself loaded only where it is set up. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  trace as api,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import { type ActiveSpan, errorType, type SpanOptions, type Trace } from './trace.ts';
import { parseTraceparent } from './traceparent.ts';

export type TracingOptions = {
  /** Where OTLP/HTTP is taken; `/v1/traces` is added. */
  readonly endpoint: string;
  /** Sent with each export; may hold credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Which part of the traces is kept, 0 to 1. */
  readonly sampleRatio: number;
  /** Told when exports begin to fail; the spans of a failed one are lost. */
  readonly onError: (error: Error) => void;
};

export type Tracing = {
  readonly trace: Trace;
  /** Sends what is left, for at most 5 s. */
  readonly close: () => Promise<void>;
};

const EXPORT_TIMEOUT_MS = 5_000;
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

/** Starts tracing. Nothing is registered globally: libraries that look for a tracer there find none. */
export function startTracing(options: TracingOptions): Tracing {
  const provider = createProvider(options);
  const tracer = provider.getTracer('optio-connect', options.serviceVersion);
  const active = new AsyncLocalStorage<Context>();
  const parentOf = ({ parent }: SpanOptions): Context => {
    if (parent === undefined) return active.getStore() ?? ROOT_CONTEXT;
    const remote = parent === 'none' ? undefined : parseTraceparent(parent);
    return remote === undefined ? ROOT_CONTEXT : api.setSpanContext(ROOT_CONTEXT, remote);
  };
  return {
    trace: async (name, spanOptions, work) => {
      const { kind, attributes = {} } = spanOptions;
      const parent = parentOf(spanOptions);
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, parent);
      const shown = show(span);
      try {
        return await active.run(api.setSpan(parent, span), () => work(shown));
      } catch (error) {
        shown.fail(errorType(error));
        throw error;
      } finally {
        span.end();
      }
    },
    // What could not be sent is lost, which was told already.
    close: () => provider.shutdown().catch(() => undefined),
  };
}

function createProvider(options: TracingOptions): BasicTracerProvider {
  const { endpoint, headers, sampleRatio, serviceName, serviceVersion, onError } = options;
  const ratio = new TraceIdRatioBasedSampler(sampleRatio);
  const exporter = new OTLPTraceExporter({
    url: `${endpoint}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  return new BasicTracerProvider({
    resource: resourceFromAttributes({
      [ATTR_SERVICE_NAME]: serviceName,
      [ATTR_SERVICE_VERSION]: serviceVersion,
    }),
    // A caller's flag alone does not make us keep its trace: anybody can set it.
    sampler: new ParentBasedSampler({ root: ratio, remoteParentSampled: ratio }),
    spanProcessors: [
      new BatchSpanProcessor(reporting(exporter, onError), { exportTimeoutMillis: EXPORT_TIMEOUT_MS }),
    ],
  });
}

/** Tells of the first of several failures in a row. */
function reporting(exporter: SpanExporter, onError: (error: Error) => void): SpanExporter {
  let failing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined && !failing) onError(result.error);
        failing = result.error !== undefined;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

function show(span: Span): ActiveSpan {
  return {
    traceId: span.spanContext().traceId,
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes({ ...attributes }),
    fail: (type) => {
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
  };
}
