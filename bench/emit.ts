/** Events taken in: REST batches for three subscriptions each, beside pg-boss inserting as many bare jobs. */
import { PgBoss } from 'pg-boss';
import { badgeEarned } from '../test/support/client.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { measureInTurn, middleOf, type Round } from './support/in-turn.ts';
import { type Optio, startOptio } from './support/optio.ts';
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
    const rounds = await measureInTurn({
      product: () => emitAll(optio),
      peer: () => insertAll(boss, optio),
      rounds: ROUNDS,
      report,
    });
    return toOutcome(rounds);
  } finally {
    await boss.stop({ graceful: false });
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

async function emitAll({ client, database }: Optio): Promise<number> {
  const count = async (): Promise<unknown> =>
    (
      await database.query(
        'SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(*)::int FROM deliveries) AS deliveries',
      )
    ).rows[0];
  const before = (await count()) as { events: number; deliveries: number }; // As the statement has them.
  const rate = await rateOf(async (first) => {
    const events = Array.from({ length: BATCH }, (_, index) => badgeEarned(first + index));
    const { status } = await client.post('/api/events', { events });
    verifyWork('the answer to a batch', status, 202);
  });
  verifyWork('what is stored', await count(), {
    events: before.events + EVENTS,
    deliveries: before.deliveries + EVENTS * SUBSCRIPTIONS,
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
async function rateOf(sendBatch: (first: number) => Promise<void>): Promise<number> {
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

function toOutcome(rounds: readonly Round[]): Outcome {
  const { product, peer, ratio } = middleOf(rounds);
  return {
    what:
      `${EVENTS} events in batches of ${BATCH} through REST by ${SENDERS} senders, ${SUBSCRIPTIONS} deliveries each (paused: stored, not sent), ` +
      `beside as many jobs inserted by pg-boss in the same batches without HTTP. In turn, ${ROUNDS} times; medians.`,
    table: {
      columns: ['', 'per second', 'ratio'],
      rows: [
        ['bare pg-boss jobs', peer, 1],
        ['events', product, ratio],
      ],
    },
    goals: [{ goal: `events at ${GOAL} of bare jobs: ${ratio}`, isMet: ratio >= GOAL }],
    measurements: { events: EVENTS, batch: BATCH, senders: SENDERS, subscriptions: SUBSCRIPTIONS, rounds },
  };
}
