/** Deliveries from claim to settled, against a bare undici loop that posts the same bodies to the same receiver. */
import type { Client as Database } from 'pg';
import { badgeEarned, type Client } from '../test/support/client.ts';
import { CONNECTIONS, postBare } from './support/bare-posts.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { cpuMsOf } from './support/cpu.ts';
import { type Optio, startOptio } from './support/optio.ts';
import { type BenchReceiver, startReceiverProcess } from './support/receiver.ts';
import { monotonicMs, type Report } from './support/receiver-messages.ts';
import { median, round } from './support/statistics.ts';
import {
  type BenchSubscription,
  deleteSubscription,
  emitInBatches,
  pauseSubscription,
  resumeAll,
  secretsOf,
  subscribePath,
} from './support/subscriptions.ts';

const EVENTS = 10_000;
const SUBSCRIPTIONS = 3;
const BATCH = 500;
const ROUNDS = 5;
const WARM_UP_EVENTS = 3_000;
const BODY_BYTES = 1_024;
const GOAL = 0.35;
// As many attempts at a time, all subscriptions together, as the bare loop has connections.
const MAX_CONCURRENCY = Math.ceil(CONNECTIONS / SUBSCRIPTIONS);
const POLL_MS = 5;

type Bench = { readonly optio: Optio; readonly receiver: BenchReceiver };

type Round = {
  readonly emitPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly barePerSecond: number;
  readonly ratio: number;
  /** Processor time a delivery, in microseconds. */
  readonly serverCpu: number;
  readonly postgresCpu: number;
  readonly receiverCpu: number;
  readonly duplicates: number;
};

export async function run(report: (line: string) => void): Promise<Outcome> {
  const receiver = await startReceiverProcess();
  const optio = await startOptio();
  try {
    await measure({ optio, receiver }, 'warm-up', WARM_UP_EVENTS);
    const rounds: Round[] = [];
    for (let number = 1; number <= ROUNDS; number += 1) {
      rounds.push(await measure({ optio, receiver }, `round-${number}`, EVENTS));
      report(`round ${number} of ${ROUNDS}: ${describe(rounds.at(-1))}`);
    }
    return toOutcome(rounds);
  } finally {
    await optio.stop();
    await receiver.stop();
  }
}

/** One round: the product first, then the bare loop with the very bodies that the product sent. */
async function measure(bench: Bench, name: string, events: number): Promise<Round> {
  const product = await measureProduct(bench, name, events);
  const bodies = await readBodies(bench.optio.database, name);
  const all = Array.from({ length: SUBSCRIPTIONS }, () => bodies).flat();
  const barePerSecond = await measureBare(bench.receiver, all, product.bytes);
  return {
    ...product.figures,
    barePerSecond,
    ratio: round(product.figures.deliveriesPerSecond / barePerSecond, 3),
  };
}

async function measureProduct({ optio, receiver }: Bench, name: string, events: number) {
  const { client, database } = optio;
  const subscriptions = await subscribeAll(client, receiver.origin, name);
  await Promise.all(subscriptions.map((one) => pauseSubscription(client, one)));
  const emitStart = monotonicMs();
  await emitInBatches(
    client,
    Array.from({ length: events }, (_, index) => padded(name, index)),
    BATCH,
  );
  const emitMs = monotonicMs() - emitStart;

  const count = events * SUBSCRIPTIONS;
  const complete = receiver.expect({ count, secrets: secretsOf(subscriptions) });
  await resumeAll(database);
  const cpuSince = stopwatch([optio.serverPid, optio.postgresPid, receiver.pid]);
  const arrived = await complete;
  const settledAtMs = await allSettled(database);
  const [serverCpu = 0, postgresCpu = 0, receiverCpu = 0] = cpuSince(count);
  await verifyProduct(database, { name, events, count, arrived });
  await Promise.all(subscriptions.map((one) => deleteSubscription(client, one)));
  return {
    bytes: arrived.bytes,
    figures: {
      emitPerSecond: round((events / emitMs) * 1_000),
      deliveriesPerSecond: round((count / (settledAtMs - arrived.firstAtMs)) * 1_000),
      serverCpu,
      postgresCpu,
      receiverCpu,
      duplicates: arrived.requests - arrived.distinct,
    },
  };
}

async function measureBare(
  receiver: BenchReceiver,
  bodies: readonly string[],
  bytes: number,
): Promise<number> {
  const complete = receiver.expect({ count: bodies.length, secrets: {} });
  const start = monotonicMs();
  await postBare(receiver.origin, bodies);
  const ms = monotonicMs() - start;
  verifyWork('the bytes of the bare loop', (await complete).bytes, bytes);
  return round((bodies.length / ms) * 1_000);
}

function subscribeAll(client: Client, origin: string, name: string): Promise<readonly BenchSubscription[]> {
  const paths = Array.from({ length: SUBSCRIPTIONS }, (_, index) => `/${name}/${index}`);
  return Promise.all(
    paths.map((path) =>
      subscribePath(client, { origin, path, eventType: '*', maxConcurrency: MAX_CONCURRENCY }),
    ),
  );
}

/** An event whose body is about 1 KB; `round` tells those of one round from those of another. */
function padded(name: string, index: number): object {
  const event = badgeEarned(index);
  const note = 'x'.repeat(BODY_BYTES - 330 - name.length);
  return { ...event, data: { ...event.data, round: name, note } };
}

async function allSettled(database: Database): Promise<number> {
  for (;;) {
    const { rows } = await database.query('SELECT FROM deliveries WHERE due_at IS NOT NULL LIMIT 1');
    if (rows.length === 0) return monotonicMs();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

type Done = {
  readonly name: string;
  readonly events: number;
  readonly count: number;
  readonly arrived: Report;
};

const COUNT_WORK = `
  SELECT d.status::text, count(*)::int AS deliveries, count(DISTINCT d.event_id)::int AS events, sum(a.attempts)::int AS attempts
  FROM webhook_subscriptions s
  JOIN deliveries d ON d.organization_id = s.organization_id AND d.subscription_id = s.id
  CROSS JOIN LATERAL (SELECT count(*) AS attempts FROM delivery_attempts a
    WHERE a.organization_id = d.organization_id AND a.delivery_id = d.id AND a.response_code = 200) AS a
  WHERE s.target_url LIKE '%/' || $1 || '/%'
  GROUP BY d.status`;

async function verifyProduct(database: Database, { name, events, count, arrived }: Done): Promise<void> {
  const { rows } = await database.query(COUNT_WORK, [name]);
  verifyWork('the log of deliveries', rows, [
    { status: 'SUCCEEDED', deliveries: count, events, attempts: count },
  ]);
  verifyWork('the number of signatures that do not fit', arrived.refused, 0);
  verifyWork(
    'whether a sample of signatures was verified',
    arrived.verified >= Math.floor(count / 100),
    true,
  );
}

async function readBodies(database: Database, name: string): Promise<readonly string[]> {
  const { rows } = await database.query<{ body: string }>(
    `SELECT body FROM events WHERE body LIKE '%"round":"' || $1 || '"%' ORDER BY id`,
    [name],
  );
  return rows.map(({ body }) => body);
}

/** Answers the processor time of each process since then, in microseconds for one of `count`. */
function stopwatch(pids: readonly number[]): (count: number) => readonly number[] {
  const before = pids.map(cpuMsOf);
  return (count) => pids.map((pid, index) => round(((cpuMsOf(pid) - (before[index] ?? 0)) * 1_000) / count));
}

function describe(one: Round | undefined): string {
  return `${one?.deliveriesPerSecond} deliveries/s, bare ${one?.barePerSecond}/s, ratio ${one?.ratio}`;
}

function toOutcome(rounds: readonly Round[]): Outcome {
  const middle = (name: keyof Round): number => median(rounds.map((one) => one[name]));
  const ratio = middle('ratio');
  const count = EVENTS * SUBSCRIPTIONS;
  return {
    what:
      `${EVENTS} events to ${SUBSCRIPTIONS} subscriptions of ${MAX_CONCURRENCY} attempts at a time: ${count} deliveries of 1 KB, ` +
      `durable, signed, logged. All emitted through REST in batches of ${BATCH} while the subscriptions were paused; then made ` +
      `due in one transaction, and timed from the first request received to the last delivery settled. The bare loop posts the same bodies to the same ` +
      `receiver over ${CONNECTIONS} connections. In turn, ${ROUNDS} times; medians, the ratio is that of each round's ratio.`,
    table: {
      columns: ['', 'per second', 'ratio', 'server CPU µs', 'Postgres CPU µs', 'receiver CPU µs'],
      rows: [
        ['bare undici loop', middle('barePerSecond'), 1, '', '', ''],
        [
          'deliveries',
          middle('deliveriesPerSecond'),
          ratio,
          middle('serverCpu'),
          middle('postgresCpu'),
          middle('receiverCpu'),
        ],
        ['events emitted (paused)', middle('emitPerSecond'), '', '', '', ''],
      ],
    },
    goals: [{ goal: `deliveries at ${GOAL} of the bare loop: ${ratio}`, isMet: ratio >= GOAL }],
    measurements: {
      events: EVENTS,
      subscriptions: SUBSCRIPTIONS,
      batch: BATCH,
      maxConcurrency: MAX_CONCURRENCY,
      rounds,
    },
  };
}
