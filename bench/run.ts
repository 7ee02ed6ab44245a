/**
 * Runs benchmarks: `node bench/run.ts [name …]`, all but the long ones without a name. Each one prints a table and is written
 * to bench/results. One whose work was not done (a count that does not add up, a signature that does not fit) fails.
 */
import { BENCHMARK_NAMES, BENCHMARKS, findBenchmark } from './registry.ts';
import { ensureInstalled } from './support/installation.ts';
import { writeResult } from './support/result.ts';
import { formatTable } from './support/table.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const names = chosen(process.argv.slice(2));
ensureInstalled();
for (const name of names) await runOne(name);

async function runOne(name: string): Promise<void> {
  say(`\n${name}`);
  const load = findBenchmark(name);
  if (load === undefined) throw new Error(`There is no benchmark ${name}.`);
  const { run } = await load();
  const outcome = await run((line) => say(`  … ${line}`));
  say(`${outcome.what}\n\n${formatTable(outcome.table)}\n`);
  for (const { goal, isMet } of outcome.goals) say(`${isMet ? 'met   ' : 'missed'}  ${goal}`);
  say(`\nwritten to ${await writeResult(name, outcome)}`);
}

function chosen(given: readonly string[]): readonly string[] {
  const unknown = given.filter((name) => findBenchmark(name) === undefined);
  if (unknown.length > 0) {
    process.stderr.write(
      `There is no benchmark ${unknown.join(', ')}; there are ${BENCHMARK_NAMES.join(', ')}.\n`,
    );
    process.exit(1);
  }
  return given.length > 0 ? given : Object.keys(BENCHMARKS);
}
