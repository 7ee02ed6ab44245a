/** What is counted about deliveries, and how counts add up. Pure. */
import { type LatencyHistogram, percentileOf } from './latency-histogram.ts';

/** What happened in some span of time. Deliveries count where they ended, attempts where they began. */
export type Figures = {
  /** Deliveries that ended as SUCCEEDED. */
  readonly succeeded: number;
  /** Deliveries that ended as FAILED, and were not sent again since. */
  readonly failed: number;
  readonly attempts: number;
  /** Attempts that failed, by reason: the most frequent first. */
  readonly failures: readonly Failure[];
  readonly latencies: LatencyHistogram;
};

export type Failure = { readonly reason: string; readonly count: number };

export type Latency = { readonly p50Ms: number; readonly p95Ms: number; readonly p99Ms: number };

export const NOTHING: Figures = {
  succeeded: 0,
  failed: 0,
  attempts: 0,
  failures: [],
  latencies: new Map(),
};

/** The figures of all together. */
export function sumOf(all: readonly Figures[]): Figures {
  const sum = (pick: (figures: Figures) => number) =>
    all.reduce((total, figures) => total + pick(figures), 0);
  const failures = addUp(all.flatMap((one) => one.failures.map(({ reason, count }) => [reason, count])));
  return {
    succeeded: sum(({ succeeded }) => succeeded),
    failed: sum(({ failed }) => failed),
    attempts: sum(({ attempts }) => attempts),
    failures: [...failures]
      .map(([reason, count]) => ({ reason, count }))
      .toSorted((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1)),
    latencies: addUp(all.flatMap(({ latencies }) => [...latencies])),
  };
}

/** Of the deliveries that ended, the share that succeeded: 0 to 1; null when none ended. */
export function successRateOf({ succeeded, failed }: Figures): number | null {
  return succeeded + failed === 0 ? null : succeeded / (succeeded + failed);
}

export function failedAttemptsOf({ failures }: Figures): number {
  return failures.reduce((sum, { count }) => sum + count, 0);
}

/** How long attempts took that were answered or ran into the time limit; null when there were none. */
export function latencyOf({ latencies }: Figures): Latency | null {
  const percentile = (percent: number) => percentileOf(latencies, percent);
  const [p50Ms, p95Ms, p99Ms] = [percentile(50), percentile(95), percentile(99)];
  return p50Ms === null || p95Ms === null || p99Ms === null ? null : { p50Ms, p95Ms, p99Ms };
}

function addUp<K>(counts: readonly (readonly [K, number])[]): ReadonlyMap<K, number> {
  const totals = new Map<K, number>();
  for (const [key, count] of counts) totals.set(key, (totals.get(key) ?? 0) + count);
  return new Map([...totals].filter(([, total]) => total !== 0));
}
