/** How long an event takes from the call that emits it to the receiver, on a system that has nothing else to do. */
import type { Client as Database } from 'pg';
import { Pool } from 'undici';
import { EVENT_TYPES } from '../src/events/event-type.ts';
import { postOne } from './support/bare-posts.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { type Optio, startOptio } from './support/optio.ts';
import { type BenchReceiver, startReceiverProcess } from './support/receiver.ts';
import { monotonicMs, type Report } from './support/receiver-messages.ts';
import { percentile, round } from './support/statistics.ts';
import { secretsOf, subscribePath } from './support/subscriptions.ts';

const EVENTS = 200;
const WARM_UP_EVENTS = 30;
const LANES = 6;
const PAUSE_MS = 120;
// Each lane has its turn every 5.4 s: longer than a worker keeps a lane that has run dry.
const REST_EVENTS = 60;
const REST_PAUSE_MS = 900;
const GOAL_P50_MS = 10;
const GOAL_P99_MS = 50;

/** In milliseconds. */
type Sample = {
  /** From the call to the receiver. */
  readonly fromCall: number;
  /** From the commit in between, as PostgreSQL noted it. */
  readonly fromCommit: number;
  readonly bare: number;
};

type Lane = { readonly event: object; readonly secrets: Readonly<Record<string, string>> };
type Bench = { readonly optio: Optio; readonly receiver: BenchReceiver; readonly pool: Pool };

export async function run(report: (line: string) => void): Promise<Outcome> {
  const receiver = await startReceiverProcess();
  const optio = await startOptio({ notesCommits: true });
  const pool = new Pool(receiver.origin, { connections: 1 });
  try {
    const bench = { optio, receiver, pool };
    const lanes = await openLanes(bench);
    await measure(bench, lanes, WARM_UP_EVENTS, PAUSE_MS);
    report(`${EVENTS} events, ${PAUSE_MS} ms apart`);
    const samples = await measure(bench, lanes, EVENTS, PAUSE_MS);
    report(`${REST_EVENTS} events, ${REST_PAUSE_MS} ms apart`);
    return toOutcome(samples, await measure(bench, lanes, REST_EVENTS, REST_PAUSE_MS));
  } finally {
    await pool.close();
    await optio.stop();
    await receiver.stop();
  }
}

/** One subscription for each of six event types. */
async function openLanes({ optio, receiver: { origin } }: Bench): Promise<readonly Lane[]> {
  const lanes: Lane[] = [];
  for (const { name: eventType, example } of EVENT_TYPES.slice(0, LANES)) {
    const path = `/${eventType}`;
    const subscription = await subscribePath(optio.client, { origin, path, eventType, maxConcurrency: 10 });
    lanes.push({ event: { event: eventType, data: example }, secrets: secretsOf([subscription]) });
  }
  return lanes;
}

async function measure(
  bench: Bench,
  lanes: readonly Lane[],
  count: number,
  pauseMs: number,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let index = 0; index < count; index += 1) {
    const lane = lanes[index % lanes.length];
    if (lane === undefined) throw new Error('There are lanes.');
    samples.push(await measureOne(bench, lane, pauseMs));
  }
  return samples;
}

async function measureOne(
  { optio, receiver, pool }: Bench,
  { event, secrets }: Lane,
  pauseMs: number,
): Promise<Sample> {
  await pause(pauseMs / 2);
  const emitted = receiver.expect({ count: 1, secrets });
  const calledAt = monotonicMs();
  const { status, body } = await optio.client.post('/api/events', event);
  verifyWork('the answer to an emit', status, 202);
  verifyWork('the number of deliveries', Reflect.get(Object(body), 'deliveries'), 1);
  const delivered = await emitted;
  const committedAt = await commitTime(optio.database, String(Reflect.get(Object(body), 'id')));

  await pause(pauseMs / 2);
  const posted = receiver.expect({ count: 1, secrets: {} });
  const postedAt = monotonicMs();
  await postOne(pool, JSON.stringify(event));
  const bare: Report = await posted;
  return {
    fromCall: delivered.firstAtMs - calledAt,
    fromCommit: delivered.firstAtEpochMs - committedAt,
    bare: bare.firstAtMs - postedAt,
  };
}

/** In milliseconds since 1970, with decimals. */
async function commitTime(database: Database, eventId: string): Promise<number> {
  const { rows } = await database.query<{ at: string }>(
    'SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 AS at FROM events WHERE id = $1',
    [eventId],
  );
  return Number(rows[0]?.at);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function toOutcome(samples: readonly Sample[], atRest: readonly Sample[]): Outcome {
  const row = (label: string, name: keyof Sample, of = samples) => {
    const values = of.map((sample) => sample[name]);
    return [label, ...[50, 90, 99, 100].map((percent) => round(percentile(values, percent), 2))];
  };
  const fromCommit = samples.map((sample) => sample.fromCommit);
  const [p50, p99] = [round(percentile(fromCommit, 50), 2), round(percentile(fromCommit, 99), 2)];
  const rest50 = round(
    percentile(
      atRest.map((sample) => sample.fromCommit),
      50,
    ),
    2,
  );
  return {
    what:
      `${EVENTS} events, one at a time, ${PAUSE_MS} ms apart, over ${LANES} subscriptions in turn, then ${REST_EVENTS} so far apart ` +
      `that each lane has been given back before its next event; between them one bare POST each. Commits as PostgreSQL noted them. Milliseconds.`,
    table: {
      columns: ['', 'p50', 'p90', 'p99', 'max'],
      rows: [
        row('from the call of emit', 'fromCall'),
        row('from its commit', 'fromCommit'),
        row('from its commit, lane at rest', 'fromCommit', atRest),
        row('one bare POST', 'bare'),
      ],
    },
    goals: [
      { goal: `p50 under ${GOAL_P50_MS} ms from the commit: ${p50}`, isMet: p50 < GOAL_P50_MS },
      { goal: `p50 under ${GOAL_P50_MS} ms, lane at rest: ${rest50}`, isMet: rest50 < GOAL_P50_MS },
      { goal: `p99 under ${GOAL_P99_MS} ms from the commit: ${p99}`, isMet: p99 < GOAL_P99_MS },
    ],
    measurements: {
      events: EVENTS,
      pauseMs: PAUSE_MS,
      restEvents: REST_EVENTS,
      restPauseMs: REST_PAUSE_MS,
      lanes: LANES,
    },
  };
}
