import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connectClient, emitBadges, subscribe } from '../support/client.ts';
import { type CollectedSpan, type Collector, startCollector } from '../support/collector.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { CLIENT, type RunningServer, startServer } from '../support/server.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
/** Says which modules of OpenTelemetry's SDK a process loads. */
const SPY = `import{registerHooks}from'node:module';registerHooks({load(u,c,n){if(/opentelemetry.(sdk|exporter|otlp)/.test(u))process._rawDebug('LOADED '+u);return n(u,c)}})`;
const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(SPY)}`;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('without OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('nothing of the SDK is loaded', async () => {
    const server = await startServer({ DATABASE_URL: database.ownerUrl, NODE_OPTIONS });
    await server.stop();
    expect(server.output()).toContain('ready');
    expect(server.output()).not.toContain('LOADED');
  });
});

describe('with OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  let collector: Collector;
  let receiver: Receiver;
  let server: RunningServer;
  let client: Client;
  let eventId: string;

  // Everything happens before: the spans come when the server stops, if not before.
  beforeAll(async () => {
    [collector, receiver] = await Promise.all([startCollector(), startReceiver()]);
    server = await startServer({
      DATABASE_URL: database.ownerUrl,
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector-key',
      OTEL_SERVICE_NAME: 'optio-flow',
      NODE_OPTIONS,
    });
    client = await connectClient(server);
    await subscribe(client, `${receiver.url}/secret-path?key=secret-query`);
    [eventId = ''] = await emitBadges(client, 1);
    await receiver.received(1);
    await fetch(`${server.url}/api/webhooks/deliveries?limit=1&status=pending`, {
      headers: { authorization: `Bearer ${client.token}`, traceparent: `00-${TRACE}-${PARENT}-01` },
    });
    await client.graphql('query Mine { organization { name } }');
    await client.get('/nowhere/secret-path');
    await server.stop();
  });

  afterAll(async () => {
    await receiver.close();
    await collector.close();
  });

  function find(name: string, attributes: Readonly<Record<string, unknown>> = {}): CollectedSpan {
    const found = collector.spans.find(
      (span) =>
        span.name === name &&
        Object.entries(attributes).every(([key, value]) => span.attributes[key] === value),
    );
    if (found === undefined)
      throw new Error(`There is no span ${name} among ${collector.spans.map((s) => s.name).join(', ')}.`);
    return found;
  }

  it('requests are spans, in the trace of who calls', () => {
    expect(collector.headers()).toMatchObject({ authorization: 'Bearer collector-key' });
    expect(collector.resource()).toMatchObject({ 'service.name': 'optio-flow' });
    expect(find('GET /api/webhooks/deliveries')).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      kind: 2,
      attributes: { 'http.response.status_code': 200, 'http.route': '/api/webhooks/deliveries' },
    });
    expect(find('GET none').attributes).toMatchObject({ 'http.response.status_code': 404 });
  });

  it('the log names the trace', () => {
    expect(server.output()).toContain(TRACE);
  });

  it('operations of GraphQL and emit are spans of their requests', () => {
    const operation = find('graphql query', { 'graphql.operation.name': 'Mine' });
    expect(operation).toMatchObject({
      traceId: find('POST /graphql').traceId,
      parentSpanId: find('POST /graphql').spanId,
    });
    expect(find('emit')).toMatchObject({
      traceId: find('POST /api/events').traceId,
      attributes: { 'optio.events': 1, 'optio.event_id': eventId },
    });
  });

  it('an attempt is a trace of its own, which names its event and what came of it', () => {
    const attempt = find('attempt');
    expect(attempt).toMatchObject({
      kind: 3,
      attributes: {
        'optio.event_id': eventId,
        'optio.outcome': 'succeeded',
        'http.response.status_code': 200,
      },
    });
    expect(attempt.parentSpanId).toBeUndefined();
    expect(attempt.traceId).not.toBe(find('emit').traceId);
  });

  it('receivers are told nothing of it', () => {
    expect(receiver.requests[0]?.headers).not.toHaveProperty('traceparent');
  });

  it('no secret, body, path or query is in it', () => {
    const text = collector.text();
    for (const secret of [
      client.token,
      CLIENT.secret,
      'secret-path',
      'secret-query',
      'Naturalist',
      'limit=1',
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  it('the SDK is what was loaded', () => {
    expect(server.output()).toContain('LOADED');
  });
});
