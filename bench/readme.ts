/** Writes the figures of bench/results into the README: `npm run bench:readme`, after `npm run bench`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { BENCHMARKS } from './registry.ts';

const ROOT = join(import.meta.dirname, '..');
const README = join(ROOT, 'README.md');
const PLACE = /(<!-- performance: .* -->\n)[\s\S]*?(<!-- \/performance -->)/;

const result = z.object({
  at: z.string(),
  commit: z.string(),
  machine: z.object({ processor: z.string(), processors: z.int(), memoryGiB: z.int() }),
  versions: z.record(z.string(), z.string()),
  goals: z.array(z.object({ goal: z.string(), isMet: z.boolean() })),
});
type Result = z.infer<typeof result>;

const results = Object.keys(BENCHMARKS).map((name) => [name, read(name)] as const);
const text = readFileSync(README, 'utf8');
if (!PLACE.test(text))
  throw new Error(`Expected the marks <!-- performance: … --> and <!-- /performance --> in ${README}.`);
writeFileSync(
  README,
  text.replace(PLACE, (_all, begin: string, end: string) => `${begin}${section(results)}${end}`),
);

function read(name: string): Result {
  const path = join(ROOT, 'bench/results', `${name}.json`);
  try {
    return result.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new Error(`Expected the figures of ${name} in ${path}; npm run bench ${name} makes them.`, {
      cause: error,
    });
  }
}

function section(all: readonly (readonly [string, Result])[]): string {
  const rows = all.flatMap(([name, { goals }]) =>
    goals.map(({ goal, isMet }) => {
      const [what, figure] = goal.split(/: (?=[^:]*$)/);
      return `| ${name} | ${what} | ${figure} | ${isMet ? 'yes' : 'no'} |`;
    }),
  );
  const [, { at, machine, versions }] = all[0] ?? fail();
  return [
    '| `npm run bench …` | goal | measured | met |',
    '|---|---|---|---|',
    ...rows,
    '',
    `Measured on ${at.slice(0, 10)}, ${machine.processors} cores, ${machine.memoryGiB} GiB, Node ${versions['node']}; database, server, receiver and load`,
    'on one machine. Ratios to a peer in the same run; medians.',
    '',
  ].join('\n');
}

function fail(): never {
  throw new Error('There are no benchmarks.');
}
