import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../../src/platform/metrics/metrics.ts';
import { lintMetrics, parseMetrics, valueOf } from '../../support/metrics.ts';

describe('A registry', () => {
  it('prints the metrics of the process, in the text form of Prometheus', async () => {
    const { contentType, text } = await createMetrics().print();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = parseMetrics(text);
    expect(valueOf(families, 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
    expect(valueOf(families, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
  });

  it('counts, one series for each combination of label values', async () => {
    const metrics = createMetrics();
    const count = metrics.counter({
      name: 'optio_things_total',
      help: 'Things.',
      labels: ['colour', 'size'],
    });
    count(['red', 'small']);
    count(['red', 'small'], 2);
    count(['blue', ''], 0);
    const families = parseMetrics((await metrics.print()).text);
    expect(valueOf(families, 'optio_things_total', { colour: 'red', size: 'small' })).toBe(3);
    expect(valueOf(families, 'optio_things_total', { colour: 'blue', size: '' })).toBe(0);
  });

  it('sorts durations into buckets', async () => {
    const metrics = createMetrics();
    const note = metrics.histogram({ name: 'optio_wait_seconds', help: 'Waits.', bucketsSeconds: [0.1, 1] });
    note([], 0.05);
    note([], 0.5);
    const families = parseMetrics((await metrics.print()).text);
    expect(valueOf(families, 'optio_wait_seconds_bucket', { le: '0.1' })).toBe(1);
    expect(valueOf(families, 'optio_wait_seconds_bucket', { le: '+Inf' })).toBe(2);
    expect(valueOf(families, 'optio_wait_seconds_sum')).toBeCloseTo(0.55);
  });

  it('reads a gauge when it is asked, and leaves out what is not known', async () => {
    const metrics = createMetrics();
    let value: number | undefined = 5;
    metrics.gauge({ name: 'optio_queue', help: 'Waiting.' }, async () =>
      value === undefined ? [] : [{ value }],
    );
    const read = async () => valueOf(parseMetrics((await metrics.print()).text), 'optio_queue');
    expect(await read()).toBe(5);
    value = undefined;
    expect(await read()).toBeUndefined();
  });

  it('is its own: two apps in one process do not meet', async () => {
    const [first, second] = [createMetrics(), createMetrics()];
    first.counter({ name: 'optio_things_total', help: 'Things.' })([]);
    expect((await second.print()).text).not.toContain('optio_things_total');
  });
});

describe('The lint of metrics', () => {
  it.each([
    ['optio_things', 'counter', 'ends with _total'],
    ['optio_things_total', 'gauge', 'ends with _total'],
    ['optio_wait_ms', 'gauge', 'base units'],
    ['optio_wait', 'histogram', 'without a unit'],
    ['optioThings', 'gauge', 'snake_case'],
  ])('finds %s, a %s', (name, type, fault) => {
    const [found] = lintMetrics(parseMetrics(`# HELP ${name} Help.\n# TYPE ${name} ${type}\n`));
    expect(found).toContain(fault);
  });
});
