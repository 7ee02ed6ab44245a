/**
 * Full speed for ten minutes (`npm run bench:soak`; SOAK_MINUTES for another number): a worker whose API is another
 * process, and then, for a third of the time, one process that is everything. The memory of each has to be flat, that of
 * the worker under its limit.
 */
import { readFileSync } from 'node:fs';
import { badgeEarned } from '../test/support/client.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { cpuMsOf } from './support/cpu.ts';
import { type Optio, type OptioOptions, startOptio } from './support/optio.ts';
import { type BenchReceiver, startReceiverProcess } from './support/receiver.ts';
import { monotonicMs } from './support/receiver-messages.ts';
import { median, round } from './support/statistics.ts';
import { secretsOf, subscribePath } from './support/subscriptions.ts';

const DEFAULT_MINUTES = 10;
const BATCH = 500;
const SUBSCRIPTIONS = 3;
const MAX_WAITING = 6_000;
const GOAL_MIB = 200;
// Of its second tenth, when everything is warm, the last tenth may be no more than this.
const GOAL_GROWTH = 1.15;
const TENTHS = 10;
// Of the whole time: how long each of them runs.
const PROCESSES = {
  'worker alone': { share: 1, options: { worker: true } },
  'API and worker in one': { share: 0.3, options: {} },
} as const satisfies Readonly<Record<string, { readonly share: number; readonly options: OptioOptions }>>;

type Tenth = {
  readonly deliveriesPerSecond: number;
  readonly memoryMiB: number;
  /** Processor time a delivery, in microseconds. */
  readonly cpu: number;
};
type Soak = { readonly name: string; readonly minutes: number; readonly tenths: readonly Tenth[] };

export async function run(report: (line: string) => void): Promise<Outcome> {
  const minutes = Number(process.env['SOAK_MINUTES'] ?? DEFAULT_MINUTES);
  const soaks: Soak[] = [];
  for (const [name, { share, options }] of Object.entries(PROCESSES)) {
    report(`${name}: at rest and at full speed for ${round(minutes * share, 1)} minutes`);
    soaks.push({ name, minutes: minutes * share, tenths: await soak(options, minutes * share, report) });
  }
  return toOutcome(soaks);
}

async function soak(options: OptioOptions, minutes: number, report: (line: string) => void) {
  const receiver = await startReceiverProcess();
  const optio = await startOptio(options);
  try {
    await subscribeAll(optio, receiver);
    report(`at rest: ${round(residentMiB(optio.workerPid))} MiB`);
    const tenths: Tenth[] = [];
    for (let number = 1; number <= TENTHS; number += 1) {
      const tenth = await runTenth(optio, (minutes * 60_000) / TENTHS);
      tenths.push(tenth);
      report(`${number} of ${TENTHS}: ${tenth.deliveriesPerSecond} deliveries/s, ${tenth.memoryMiB} MiB`);
    }
    return tenths;
  } finally {
    await optio.stop();
    await receiver.stop();
  }
}

async function subscribeAll({ client }: Optio, receiver: BenchReceiver): Promise<void> {
  const target = { origin: receiver.origin, eventType: '*', maxConcurrency: 21 };
  const subscriptions = await Promise.all(
    Array.from({ length: SUBSCRIPTIONS }, (_, number) =>
      subscribePath(client, { ...target, path: `/soak/${number}` }),
    ),
  );
  void receiver
    .expect({ count: Number.MAX_SAFE_INTEGER, secrets: secretsOf(subscriptions) })
    .catch(() => undefined);
}

/** Keeps some thousand deliveries waiting for so long; the memory is the median of what is read meanwhile. */
async function runTenth(optio: Optio, ms: number): Promise<Tenth> {
  const start = monotonicMs();
  const [settledBefore, cpuBefore] = [await countSettled(optio), cpuMsOf(optio.workerPid)];
  const memory: number[] = [];
  while (monotonicMs() - start < ms) {
    if ((await countWaiting(optio)) < MAX_WAITING) {
      const events = Array.from({ length: BATCH }, (_, index) => badgeEarned(index));
      const { status } = await optio.client.post('/api/events', { events });
      verifyWork('the answer to a batch', status, 202);
    } else {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    memory.push(residentMiB(optio.workerPid));
  }
  const settled = (await countSettled(optio)) - settledBefore;
  verifyWork('whether anything was delivered', settled > 0, true);
  return {
    deliveriesPerSecond: round((settled / (monotonicMs() - start)) * 1_000),
    memoryMiB: round(median(memory)),
    cpu: round(((cpuMsOf(optio.workerPid) - cpuBefore) * 1_000) / settled),
  };
}

async function countWaiting({ database }: Optio): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM (SELECT FROM deliveries WHERE due_at IS NOT NULL LIMIT ${MAX_WAITING}) AS d`,
  );
  return rows[0]?.count ?? 0;
}

async function countSettled({ database }: Optio): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM deliveries WHERE status = 'SUCCEEDED'`,
  );
  return rows[0]?.count ?? 0;
}

/** What the process holds in memory (proc_pid_status(5)). */
function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1_024;
}

function toOutcome(soaks: readonly Soak[]): Outcome {
  const times = soaks.map(({ name, minutes }) => `${name}: ${round(minutes, 1)} minutes`).join('; ');
  return {
    what:
      `Full speed (${times}): ${SUBSCRIPTIONS} subscriptions, always up to ${MAX_WAITING} deliveries waiting. ` +
      'Resident memory, median of each tenth of the time.',
    table: {
      columns: ['process', 'tenth', 'deliveries per second', 'memory MiB', 'CPU µs a delivery'],
      rows: soaks.flatMap(({ name, tenths }) =>
        tenths.map((tenth, index) => [
          name,
          index + 1,
          tenth.deliveriesPerSecond,
          tenth.memoryMiB,
          tenth.cpu,
        ]),
      ),
    },
    goals: soaks.flatMap((one, index) => [...(index === 0 ? [limitGoal(one)] : []), flatGoal(one)]),
    measurements: { soaks },
  };
}

function limitGoal({ name, tenths }: Soak) {
  const most = Math.max(...tenths.map(({ memoryMiB }) => memoryMiB));
  return { goal: `${name}: under ${GOAL_MIB} MiB: ${most}`, isMet: most < GOAL_MIB };
}

function flatGoal({ name, tenths }: Soak) {
  const growth = round((tenths.at(-1)?.memoryMiB ?? 0) / (tenths[1]?.memoryMiB ?? 0), 2);
  return { goal: `${name}: flat: the last tenth has ${growth} of the second`, isMet: growth <= GOAL_GROWTH };
}
