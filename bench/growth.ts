/** Growth: what the product asks of PostgreSQL on five million stored deliveries, against the same on a hundred thousand. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../src/platform/embedded-postgres/start.ts';
import type { Outcome } from './support/benchmark.ts';
import { type GrownDatabase, growDatabase } from './support/growth-database.ts';
import { EMITTED, PAGE, plansOf, WORKS, type Work } from './support/growth-work.ts';
import { median, round } from './support/statistics.ts';

const SMALL = 100_000;
const LARGE = Number(process.env['GROWTH_DELIVERIES'] ?? 5_000_000);
const WARM_UPS = 5;
const ROUNDS = 31;
const GOAL = 1.5;
const STATISTICS_GOAL_MS = 100;
const PLANS = join(import.meta.dirname, 'results/growth-plans.txt');

type Row = { readonly name: string; readonly small: number; readonly large: number; readonly ratio: number };

export async function run(report: (line: string) => void): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'optio-growth-'));
  // For root, PostgreSQL runs as another user, who has to get through.
  await chmod(directory, 0o711);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const postgres = await startEmbeddedPostgres({ directory: join(directory, 'postgres'), log });
  const databases: GrownDatabase[] = [];
  try {
    for (const [name, deliveries] of [['growth_small', SMALL] as const, ['growth_large', LARGE] as const]) {
      const options = { url: postgres.url, name, deliveries, key: Buffer.alloc(32, 'growth'), report };
      databases.push(await growDatabase({ ...options, directory: join(import.meta.dirname, '../prisma') }));
    }
    const [small, large] = databases;
    if (small === undefined || large === undefined) throw new Error('There are two databases.');
    const rows = await measure(small, large);
    await writePlans(large);
    return toOutcome(rows);
  } finally {
    for (const database of databases) await database.close();
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** All works in turn, each on the one and on the other database, in the order in which one leaves what the next needs. */
async function measure(small: GrownDatabase, large: GrownDatabase): Promise<readonly Row[]> {
  const times = new Map<string, { small: number[]; large: number[] }>();
  for (let number = 0; number < WARM_UPS + ROUNDS; number++) {
    for (const [name, work] of Object.entries(WORKS)) {
      const [smallMs, largeMs] = await inTurn(work, small, large, number % 2 === 0);
      const own = times.get(name) ?? { small: [], large: [] };
      times.set(name, own);
      if (number < WARM_UPS) continue;
      own.small.push(smallMs);
      own.large.push(largeMs);
    }
  }
  return [...times].map(([name, own]) => ({
    name,
    small: round(median(own.small), 2),
    large: round(median(own.large), 2),
    ratio: round(median(own.large) / median(own.small), 2),
  }));
}

async function inTurn(
  work: Work,
  small: GrownDatabase,
  large: GrownDatabase,
  smallFirst: boolean,
): Promise<readonly [number, number]> {
  if (smallFirst) return [await work(small), await work(large)];
  const largeMs = await work(large);
  return [await work(small), largeMs];
}

async function writePlans(database: GrownDatabase): Promise<void> {
  const parts: string[] = [];
  for (const [name, work] of Object.entries(WORKS)) {
    const plans = await plansOf(database, work);
    parts.push(`== ${name}\n\n${plans.join('\n\n')}\n`);
  }
  await mkdir(join(PLANS, '..'), { recursive: true });
  await writeFile(PLANS, parts.join('\n'));
}

function toOutcome(rows: readonly Row[]): Outcome {
  return {
    what:
      `A month of ${LARGE.toLocaleString('en')} deliveries to ten subscriptions, with their events and attempts, against one of ` +
      `${SMALL.toLocaleString('en')}, in two databases of one PostgreSQL. Pages of ${PAGE}; ${EMITTED} events emitted to ten ` +
      `subscriptions each, claimed, and settled as one batch. In turn, ${ROUNDS} times; medians of milliseconds. The plans of the ` +
      'large one are in bench/results/growth-plans.txt.',
    table: {
      columns: ['', 'small ms', 'large ms', 'ratio'],
      rows: rows.map(({ name, small, large, ratio }) => [name, small, large, ratio]),
    },
    goals: [
      ...rows.map(({ name, ratio }) => ({
        goal: `${name}: at most ${GOAL} times the cost: ${ratio}`,
        isMet: ratio <= GOAL,
      })),
      ...rows
        .filter(({ name }) => name.startsWith('statistics'))
        .map(({ name, large }) => ({
          goal: `${name}: under ${STATISTICS_GOAL_MS} ms: ${large}`,
          isMet: large < STATISTICS_GOAL_MS,
        })),
    ],
    measurements: { deliveries: { small: SMALL, large: LARGE }, rounds: ROUNDS, rows },
  };
}
