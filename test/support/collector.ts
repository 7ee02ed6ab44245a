/** A collector of OpenTelemetry as small as can be: takes OTLP over HTTP in JSON, and keeps the spans. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const Value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
]);
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, value])));
const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  attributes: Attributes,
  status: z.object({ code: z.number().optional(), message: z.string().optional() }),
});
const Export = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
});

export type CollectedSpan = z.infer<typeof Span>;

export type Collector = {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** Of the last export. */
  readonly resource: () => unknown;
  readonly headers: () => IncomingHttpHeaders;
  /** Everything that came, as it came. */
  readonly text: () => string;
  /** Answers from now on; 200 until then. */
  answer: number;
  readonly close: () => Promise<void>;
};

/** Listens on a free port of the loopback interface. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const texts: string[] = [];
  let headers: IncomingHttpHeaders = {};
  let resource: unknown;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      texts.push(`${request.url} ${text}`);
      headers = request.headers;
      for (const one of Export.parse(JSON.parse(text)).resourceSpans) {
        resource = one.resource.attributes;
        spans.push(...one.scopeSpans.flatMap((scope) => scope.spans));
      }
      response.writeHead(collector.answer, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // It listens on a port.
  const collector: Collector = {
    url: `http://127.0.0.1:${port}`,
    spans,
    resource: () => resource,
    headers: () => headers,
    text: () => texts.join('\n'),
    answer: 200,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return collector;
}
