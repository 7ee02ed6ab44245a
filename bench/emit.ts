/** Events taken in, with three deliveries each, beside pg-boss inserting as many bare jobs into the same database. */
import type { Pool } from 'pg';
import { PgBoss } from 'pg-boss';
import { type EmitDependencies, emitOnConnection } from '../src/events/emit.ts';
import { systemClock } from '../src/lib/clock.ts';
import { createPool, inTransaction } from '../src/platform/database/pool.ts';
import { badgeEarned } from '../test/support/client.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { measureInTurn, middleOf, type Round } from './support/in-turn.ts';
import { loginsOf, type Optio, organizationOf, startOptio } from './support/optio.ts';
import { monotonicMs } from './support/receiver-messages.ts';
import { pauseSubscription, subscribePath } from './support/subscriptions.ts';

const EVENTS = 10_000;
const BATCH = 100;
const SENDERS = 4;
const SUBSCRIPTIONS = 3;
const ROUNDS = 5;
const GOAL = 0.3;
const QUEUE = 'bench';

export async function run(report: (line: string) => void): Promise<Outcome> {
  const optio = await startOptio();
  const { workerUrl } = await loginsOf(optio);
  const pool = createPool({ url: workerUrl, maxConnections: SENDERS, onIdleError: () => undefined });
  const boss = new PgBoss({
    connectionString: optio.databaseUrl,
    schema: 'bare_boss',
    supervise: false,
    schedule: false,
  });
  try {
    await boss.start();
    await boss.createQueue(QUEUE);
    await subscribeAll(optio);
    const organizationId = await organizationOf(optio);
    const peer = () => insertAll(boss, optio);
    const rounds = await measureInTurn({
      product: () => storedBy(optio, emitBatch(pool, organizationId)),
      peer,
      rounds: ROUNDS,
      report,
    });
    report('through REST');
    const rest = await measureInTurn({
      product: () => storedBy(optio, postBatch(optio)),
      peer,
      rounds: ROUNDS,
      report,
    });
    return toOutcome(rounds, rest);
  } finally {
    await boss.stop({ graceful: false });
    await pool.end();
    await optio.stop();
  }
}

/** Paused, so that what is measured is the taking in alone: their deliveries are stored as held. */
async function subscribeAll({ client }: Optio): Promise<void> {
  for (let number = 0; number < SUBSCRIPTIONS; number += 1) {
    const target = {
      origin: 'http://127.0.0.1:9999',
      path: `/${number}`,
      eventType: '*',
      maxConcurrency: 10,
    };
    await pauseSubscription(client, await subscribePath(client, target));
  }
}

type SendBatch = (first: number) => Promise<void>;

const batchFrom = (first: number) => Array.from({ length: BATCH }, (_, index) => badgeEarned(first + index));

/** As a program emits that has the database at hand: in its own transaction. */
function emitBatch(pool: Pool, organizationId: string): SendBatch {
  const dependencies: EmitDependencies = { clock: systemClock, wakeLanes: () => undefined };
  return async (first) => {
    const inputs = batchFrom(first).map(({ event, data }) => ({ type: event, data }));
    await inTransaction(pool, (db) => emitOnConnection(db, organizationId, inputs, dependencies));
  };
}

function postBatch({ client }: Optio): SendBatch {
  return async (first) => {
    const { status } = await client.post('/api/events', { events: batchFrom(first) });
    verifyWork('the answer to a batch', status, 202);
  };
}

const COUNT =
  'SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(*)::int FROM deliveries) AS deliveries';

/** The rate, once what was sent is seen to be stored. */
async function storedBy({ database }: Optio, send: SendBatch): Promise<number> {
  const count = async () => (await database.query<{ events: number; deliveries: number }>(COUNT)).rows[0];
  const before = await count();
  const rate = await rateOf(send);
  verifyWork('what is stored', await count(), {
    events: (before?.events ?? 0) + EVENTS,
    deliveries: (before?.deliveries ?? 0) + EVENTS * SUBSCRIPTIONS,
  });
  return rate;
}

async function insertAll(boss: PgBoss, { database }: Optio): Promise<number> {
  const rate = await rateOf(async (first) => {
    await boss.insert(
      QUEUE,
      Array.from({ length: BATCH }, (_, index) => ({ data: badgeEarned(first + index) })),
    );
  });
  const { rowCount } = await database.query(`DELETE FROM bare_boss.job WHERE name = $1`, [QUEUE]);
  verifyWork('the number of jobs', rowCount, EVENTS);
  return rate;
}

/** Items a second, sent by some senders at a time. */
async function rateOf(sendBatch: SendBatch): Promise<number> {
  let next = 0;
  const send = async (): Promise<void> => {
    for (let first = next; first < EVENTS; first = next) {
      next += BATCH;
      await sendBatch(first);
    }
  };
  const start = monotonicMs();
  await Promise.all(Array.from({ length: SENDERS }, send));
  return (EVENTS / (monotonicMs() - start)) * 1_000;
}

function toOutcome(rounds: readonly Round[], rest: readonly Round[]): Outcome {
  const { product, peer, ratio } = middleOf(rounds);
  const throughRest = middleOf(rest);
  return {
    what:
      `${EVENTS} events in batches of ${BATCH} by ${SENDERS} senders, ${SUBSCRIPTIONS} deliveries each (paused: stored, not sent), emitted in ` +
      `transactions of the program itself and through REST, beside as many jobs inserted by pg-boss in the same batches. In turn, ${ROUNDS} times; medians.`,
    table: {
      columns: ['', 'per second', 'ratio'],
      rows: [
        ['bare pg-boss jobs', peer, 1],
        ['events, in the program', product, ratio],
        ['events, through REST', throughRest.product, throughRest.ratio],
      ],
    },
    goals: [{ goal: `events at ${GOAL} of bare jobs: ${ratio}`, isMet: ratio >= GOAL }],
    measurements: {
      events: EVENTS,
      batch: BATCH,
      senders: SENDERS,
      subscriptions: SUBSCRIPTIONS,
      rounds,
      rest,
    },
  };
}
