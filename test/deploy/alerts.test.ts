import { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { systemClock } from '../../src/lib/clock.ts';
import { createObservers, watch } from '../../src/metrics.ts';
import { createMetrics } from '../../src/platform/metrics/metrics.ts';
import { parseMetrics } from '../support/metrics.ts';
import { anchorsOf, readText } from './repository.ts';

const Rule = z.strictObject({
  alert: z.string().regex(/^Optio[A-Za-z]+$/),
  expr: z.string(),
  for: z.string().regex(/^\d+m$/),
  labels: z.strictObject({ severity: z.enum(['page', 'ticket']) }),
  annotations: z.strictObject({ summary: z.string(), runbook: z.string() }),
});
const { groups } = z
  .strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(Rule) })) })
  .parse(parse(readText('deploy/alerts.yaml')));
const rules = groups.flatMap((group) => group.rules);

/** Every metric that a process has, by name and type. */
async function allMetrics(): Promise<ReadonlyMap<string, string>> {
  const metrics = createMetrics();
  createObservers(metrics);
  const pool = new Pool({ host: '127.0.0.1', port: 1 }); // Nobody is there: what the database tells is missing.
  watch(metrics, {
    role: 'all',
    pools: { worker: { connections: pool, max: 10 } },
    subscriberCount: () => 0,
    deliveries: { load: () => ({ lanes: 0, sending: 0, backlog: 0 }) },
    workerPool: pool,
    authPool: pool,
    clock: systemClock,
    onError: () => undefined,
  });
  return new Map(parseMetrics((await metrics.print()).text).map(({ name, type }) => [name, type]));
}

/** The names of metrics in an expression, histograms by their own name. */
function metricsIn(expression: string): readonly string[] {
  const withoutStrings = expression.replace(/"[^"]*"/g, '""');
  return [...withoutStrings.matchAll(/\b((?:optio|process|nodejs)_\w+|up)\b(?=[{[\s)]|$)/g)].map(
    ([, name = '']) => name.replace(/_(bucket|count|sum)$/, ''),
  );
}

describe('the alert rules', () => {
  it('ask for metrics that exist', async () => {
    const known = await allMetrics();
    for (const { alert, expr } of rules) {
      const names = metricsIn(expr);
      expect([alert, names.length > 0]).toEqual([alert, true]);
      expect([alert, names.filter((name) => name !== 'up' && !known.has(name))]).toEqual([alert, []]);
    }
  });

  it('are each named once, and say what to do', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, annotations } of rules) {
      const [path = '', anchor = ''] = annotations.runbook.split('#');
      expect([alert, anchorsOf(path).includes(anchor)]).toEqual([alert, true]);
    }
  });

  it('close every bracket', () => {
    for (const { alert, expr } of rules) {
      for (const [open, close] of ['()', '{}', '[]']) {
        expect([alert, expr.split(open ?? '').length]).toEqual([alert, expr.split(close ?? '').length]);
      }
    }
  });
});

describe('the guide to operations', () => {
  it('explains every metric of ours, and none that is not there', async () => {
    const known = [...(await allMetrics()).keys()].filter((name) => name.startsWith('optio_')).toSorted();
    const explained = [...readText('docs/guides/operations.md').matchAll(/^\| `(optio_\w+)/gm)].map(
      ([, name = '']) => name,
    );
    expect(explained.toSorted()).toEqual(known);
  });
});

describe('prometheus.yaml', () => {
  it('names the jobs that the rules look for', () => {
    const jobs = z
      .object({
        scrape_configs: z.array(z.object({ job_name: z.string() })),
        rule_files: z.tuple([z.literal('alerts.yaml')]),
      })
      .parse(parse(readText('deploy/prometheus.yaml')));
    expect(jobs.scrape_configs.map(({ job_name }) => job_name)).toEqual([
      'optio-connect-api',
      'optio-connect-worker',
    ]);
  });
});
