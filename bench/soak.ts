/**
 * A worker at full speed for ten minutes (`npm run bench:soak`, or another number of minutes as its argument): its
 * memory has to stay under its limit, and flat.
 */
import { readFileSync } from 'node:fs';
import { badgeEarned } from '../test/support/client.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { type Optio, startOptio } from './support/optio.ts';
import { startReceiverProcess } from './support/receiver.ts';
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

type Tenth = { readonly deliveriesPerSecond: number; readonly memoryMiB: number };

export async function run(report: (line: string) => void): Promise<Outcome> {
  const minutes = Number(process.env['SOAK_MINUTES'] ?? DEFAULT_MINUTES);
  const receiver = await startReceiverProcess();
  const optio = await startOptio();
  try {
    const paths = Array.from({ length: SUBSCRIPTIONS }, (_, number) => `/soak/${number}`);
    const target = { origin: receiver.origin, eventType: '*', maxConcurrency: 21 };
    const subscriptions = await Promise.all(
      paths.map((path) => subscribePath(optio.client, { ...target, path })),
    );
    void receiver
      .expect({ count: Number.MAX_SAFE_INTEGER, secrets: secretsOf(subscriptions) })
      .catch(() => undefined);
    const tenths: Tenth[] = [];
    for (let number = 1; number <= TENTHS; number += 1) {
      tenths.push(await runTenth(optio, (minutes * 60_000) / TENTHS));
      const { deliveriesPerSecond, memoryMiB } = tenths.at(-1) ?? { deliveriesPerSecond: 0, memoryMiB: 0 };
      report(`${number} of ${TENTHS}: ${deliveriesPerSecond} deliveries/s, ${memoryMiB} MiB`);
    }
    return toOutcome(minutes, tenths);
  } finally {
    await optio.stop();
    await receiver.stop();
  }
}

/** Keeps some thousand deliveries waiting for so long; the memory is the median of what is read meanwhile. */
async function runTenth(optio: Optio, ms: number): Promise<Tenth> {
  const start = monotonicMs();
  const before = await countSettled(optio);
  const memory: number[] = [];
  while (monotonicMs() - start < ms) {
    if ((await countWaiting(optio)) < MAX_WAITING) {
      const events = Array.from({ length: BATCH }, (_, index) => badgeEarned(index));
      const { status } = await optio.client.post('/api/events', { events });
      verifyWork('the answer to a batch', status, 202);
    } else {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    memory.push(residentMiB(optio.serverPid));
  }
  const settled = (await countSettled(optio)) - before;
  verifyWork('whether anything was delivered', settled > 0, true);
  return {
    deliveriesPerSecond: round((settled / (monotonicMs() - start)) * 1_000),
    memoryMiB: round(median(memory)),
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

function toOutcome(minutes: number, tenths: readonly Tenth[]): Outcome {
  const [warm, last] = [tenths[1]?.memoryMiB ?? 0, tenths.at(-1)?.memoryMiB ?? 0];
  const most = Math.max(...tenths.map(({ memoryMiB }) => memoryMiB));
  const growth = round(last / warm, 2);
  return {
    what:
      `${minutes} minutes at full speed: ${SUBSCRIPTIONS} subscriptions, always up to ${MAX_WAITING} deliveries waiting. ` +
      'One process that is API and worker; resident memory, median of each tenth of the time.',
    table: {
      columns: ['tenth', 'deliveries per second', 'memory MiB'],
      rows: tenths.map((tenth, index) => [index + 1, tenth.deliveriesPerSecond, tenth.memoryMiB]),
    },
    goals: [
      { goal: `under ${GOAL_MIB} MiB: ${most}`, isMet: most < GOAL_MIB },
      { goal: `flat: the last tenth has ${growth} of the second`, isMet: growth <= GOAL_GROWTH },
    ],
    measurements: { minutes, tenths },
  };
}
