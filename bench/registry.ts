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
  token: (): Promise<Benchmark> => import('./token.ts'),
  latency: (): Promise<Benchmark> => import('./latency.ts'),
} as const;

/** Those that take long, and run by name only. */
export const LONG_BENCHMARKS = {
  soak: (): Promise<Benchmark> => import('./soak.ts'),
  growth: (): Promise<Benchmark> => import('./growth.ts'),
} as const;

const ALL: Readonly<Record<string, () => Promise<Benchmark>>> = { ...BENCHMARKS, ...LONG_BENCHMARKS };

/** The names of all of them. */
export const BENCHMARK_NAMES: readonly string[] = Object.keys(ALL);

/** The benchmark of that name, or undefined. */
export function findBenchmark(name: string): (() => Promise<Benchmark>) | undefined {
  return Object.hasOwn(ALL, name) ? ALL[name] : undefined;
}
