/** All benchmarks. A new one is a file beside this one that exports `run`, and a line here. */
import type { Benchmark } from './support/benchmark.ts';

// Loaded when they run: their peers may have to be installed first.
export const BENCHMARKS = {
  deliveries: (): Promise<Benchmark> => import('./deliveries.ts'),
  emit: (): Promise<Benchmark> => import('./emit.ts'),
  list: (): Promise<Benchmark> => import('./list.ts'),
  typename: (): Promise<Benchmark> => import('./typename.ts'),
  live: (): Promise<Benchmark> => import('./live.ts'),
  start: (): Promise<Benchmark> => import('./start.ts'),
  latency: (): Promise<Benchmark> => import('./latency.ts'),
} as const;

export type BenchmarkName = keyof typeof BENCHMARKS;

/** Whether there is a benchmark of that name. */
export function isBenchmarkName(name: string): name is BenchmarkName {
  return Object.hasOwn(BENCHMARKS, name);
}
