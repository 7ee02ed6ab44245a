import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../src/lib/errors.ts';
import { startTracing, type Tracing } from '../../../src/platform/tracing/opentelemetry.ts';
import { type Collector, startCollector } from '../../support/collector.ts';

let collector: Collector;
let tracing: Tracing;
const errors: Error[] = [];

function start(sampleRatio = 1): Tracing {
  return startTracing({
    endpoint: collector.url,
    headers: { 'x-key': 'collector-key' },
    serviceName: 'optio-test',
    serviceVersion: '1.2.3',
    sampleRatio,
    onError: (error) => void errors.push(error),
  });
}

beforeEach(async () => {
  errors.length = 0;
  collector = await startCollector();
  tracing = start();
});
afterEach(() => collector.close());

describe('Tracing', () => {
  it('sends spans, with what the service is and the operator’s headers', async () => {
    await tracing.trace(
      'work',
      { kind: 'internal', attributes: { 'optio.events': 2 } },
      async () => undefined,
    );
    await tracing.close();
    expect(collector.text()).toMatch(/^\/v1\/traces /);
    expect(collector.headers()).toMatchObject({ 'x-key': 'collector-key' });
    expect(collector.resource()).toMatchObject({ 'service.name': 'optio-test', 'service.version': '1.2.3' });
    expect(collector.spans).toMatchObject([{ name: 'work', kind: 1, attributes: { 'optio.events': 2 } }]);
  });

  it('puts a span under the one that it runs in, unless it is to begin a trace', async () => {
    const { trace } = tracing;
    await trace('outer', { kind: 'internal' }, async () => {
      await Promise.all([
        trace('inner', { kind: 'internal' }, async () => undefined),
        trace('apart', { kind: 'client', parent: 'none' }, async () => undefined),
      ]);
    });
    await tracing.close();
    const find = (name: string) => collector.spans.find((span) => span.name === name);
    expect(find('inner')).toMatchObject({
      traceId: find('outer')?.traceId,
      parentSpanId: find('outer')?.spanId,
    });
    expect(find('apart')?.traceId).not.toBe(find('outer')?.traceId);
    expect(find('apart')?.parentSpanId).toBeUndefined();
  });

  it('marks what failed, by the kind of error and never by its message', async () => {
    const refuse = () => Promise.reject(new AppError('CONFLICT', 'It holds tops3cr3t.'));
    await expect(tracing.trace('work', { kind: 'internal' }, refuse)).rejects.toThrow('tops3cr3t');
    await tracing.close();
    expect(collector.spans).toMatchObject([
      { attributes: { 'error.type': 'CONFLICT' }, status: { code: 2 } },
    ]);
    expect(collector.text()).not.toContain('tops3cr3t');
  });

  it('keeps the part of the traces that it is told to, whatever a caller asks for', async () => {
    const none = start(0);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await none.trace('work', { kind: 'server', parent: new Headers({ traceparent }) }, async () => undefined);
    await none.close();
    await tracing.close();
    expect(collector.spans).toEqual([]);
  });

  it('does without a collector: work goes on, the failure is told, closing ends', async () => {
    collector.answer = 400;
    expect(await tracing.trace('work', { kind: 'internal' }, async () => 7)).toBe(7);
    await tracing.close();
    expect(errors).toHaveLength(1);
  });
});
