/**
 * Runs benchmarks: `node bench/run.ts [name …]`, all of them without a name. Each one prints a table and is written
 * to bench/results. One whose work was not done (a count that does not add up, a signature that does not fit) fails.
 */
import { BENCHMARKS, type BenchmarkName, isBenchmarkName } from './registry.ts';
import { ensureInstalled } from './support/installation.ts';
import { writeResult } from './support/result.ts';
import { formatTable } from './support/table.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const names = chosen(process.argv.slice(2));
ensureInstalled();
for (const name of names) await runOne(name);

async function runOne(name: BenchmarkName): Promise<void> {
  say(`\n${name}`);
  const { run } = await BENCHMARKS[name]();
  const outcome = await run((line) => say(`  … ${line}`));
  say(`${outcome.what}\n\n${formatTable(outcome.table)}\n`);
  for (const { goal, isMet } of outcome.goals) say(`${isMet ? 'met   ' : 'missed'}  ${goal}`);
  say(`\nwritten to ${await writeResult(name, outcome)}`);
}

function chosen(given: readonly string[]): readonly BenchmarkName[] {
  const known = Object.keys(BENCHMARKS).filter(isBenchmarkName);
  const unknown = given.filter((name) => !isBenchmarkName(name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no benchmark ${unknown.join(', ')}; there are ${known.join(', ')}.\n`);
    process.exit(1);
  }
  return given.length > 0 ? given.filter(isBenchmarkName) : known;
}
