/** What a benchmark is, and what it answers. */
import type { Table } from './table.ts';

export type Benchmark = {
  /** Measures and checks the work that was measured; throws when it was not done. `report` says how far it is. */
  readonly run: (report: (line: string) => void) => Promise<Outcome>;
};

export type Outcome = {
  /** What was sent to whom, and from when to when the time was taken. */
  readonly what: string;
  readonly table: Table;
  readonly goals: readonly Goal[];
  /** For the results file: every measurement. */
  readonly measurements: Readonly<Record<string, unknown>>;
};

export type Goal = { readonly goal: string; readonly isMet: boolean };

/** Throws when what was measured is not the work that was to be done. */
export function verifyWork(name: string, actual: unknown, expected: unknown): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== should) throw new Error(`The work was not done: ${name} is ${is}, expected ${should}.`);
}
