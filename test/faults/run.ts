/**
 * The long form of the kit: `npm run faults -- --runs 20 --seed 1 [--faults "Postgres killed,failover"]`. Each run has
 * faults of its own by its seed, and can be repeated by that. Prints a table; ends with 1 when anything was lost, stuck,
 * recorded twice, or sent twice without a crash.
 */
import { parseArgs } from 'node:util';
import { formatTable } from '../../bench/support/table.ts';
import { FAULTS, type FaultName, isFaultName } from './faults.ts';
import { seeded } from './random.ts';
import { runTrial, type TrialResult } from './trial.ts';

const FAULTS_A_RUN = 4;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string' },
  },
});
const results: TrialResult[] = [];
let failed = 0;
for (let run = 0; run < Number(values.runs); run += 1) {
  const seed = Number(values.seed) + run;
  const faults = chosen(values.faults) ?? atRandom(seed);
  say(`run ${run + 1} of ${values.runs}, seed ${seed}`);
  try {
    const result = await runTrial({ seed, faults, report: (line) => say(`  … ${line}`) });
    results.push(result);
    for (const line of failures(result)) say(`  ${line}`);
  } catch (error) {
    // A server that ended by itself, or an installation that took nothing any more: what it printed comes with it.
    failed += 1;
    say(`  failed: ${error instanceof Error ? error.stack : String(error)}`);
  }
}
say(`\n${formatTable(table(results))}`);
say(`${results.length} runs, and ${failed} that failed as a whole`);
process.exitCode = failed > 0 || results.some((result) => failures(result).length > 0) ? 1 : 0;

function chosen(given: string | undefined): readonly FaultName[] | undefined {
  const names = given?.split(',').map((name) => name.trim());
  const unknown = names?.find((name) => !isFaultName(name));
  if (unknown !== undefined)
    throw new Error(`There is no fault "${unknown}"; there are: ${Object.keys(FAULTS).join(', ')}.`);
  return names?.filter(isFaultName);
}

/** A failover once at most: there is one standby. */
function atRandom(seed: number): readonly FaultName[] {
  const random = seeded(seed ^ 0x5eed);
  const names = Object.keys(FAULTS).filter(isFaultName);
  const picked: FaultName[] = [];
  while (picked.length < FAULTS_A_RUN) {
    const name = random.pick(names);
    if (!picked.includes(name)) picked.push(name);
  }
  return picked;
}

function failures(result: TrialResult): readonly string[] {
  const { lost, stuck, miscounted, unexplained } = result;
  return Object.entries({ lost, stuck, miscounted, unexplained })
    .filter(([, ids]) => ids.length > 0)
    .map(([name, ids]) => `${name}: ${ids.length}, ${ids.slice(0, 5).join(', ')}`);
}

function table(all: readonly TrialResult[]) {
  const row = (name: string, some: readonly TrialResult[]) => {
    const sum = (count: (result: TrialResult) => number): number =>
      some.reduce((total, result) => total + count(result), 0);
    return [
      name,
      sum(({ events }) => events),
      sum(({ deliveries }) => deliveries),
      sum(({ attempts }) => attempts),
      sum(({ repeated }) => repeated.length),
      sum(({ unexplained }) => unexplained.length),
      sum(({ lost }) => lost.length),
      sum(({ stuck }) => stuck.length),
      sum(({ miscounted }) => miscounted.length),
    ];
  };
  return {
    columns: [
      'seed: faults',
      'events',
      'deliveries',
      'attempts',
      'sent twice',
      'without a crash',
      'lost',
      'stuck',
      'miscounted',
    ],
    rows: [
      ...all.map((result) => row(`${result.seed}: ${result.faults.join(', ')}`, [result])),
      row('all', all),
    ],
  };
}
