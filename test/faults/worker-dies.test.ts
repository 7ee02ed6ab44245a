/**
 * What becomes of deliveries when a worker dies, or stands still, at each point of an attempt. One installation for all
 * points: a worker for each of them, which has a lane of its own and dies while the others stand still; then one that
 * takes over all lanes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_TYPES } from '../../src/events/event-type.ts';
import { type Client, connectClient } from '../support/client.ts';
import { COMMIT, COMMITTED, type CutOff, openCutOff, SETTLE } from '../support/cut-off.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { untilTrue } from '../support/eventually.ts';
import { scrape, valueOf } from '../support/metrics.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { type BookKeeper, openBooks } from './book-keeper.ts';
import { type Recorded, readRecorded, reckon } from './reckoning.ts';

const MANY = 10;

type Worker = { readonly server: RunningServer; readonly cutOff: CutOff };
type Point = {
  readonly path: string;
  readonly events: number;
  /** Resolves when the worker is at this point; called before anything is emitted. */
  readonly reached: (worker: Worker) => Promise<void>;
  /** How often each delivery comes in the end, in the order of their ids. */
  readonly times: readonly number[];
};

const once = (count: number): readonly number[] => Array.from({ length: count }, () => 1);

const POINTS = {
  // The lines that it claimed do not reach it: it has the lane, and has sent nothing.
  'after the claim': {
    path: '/claimed',
    events: MANY,
    reached: ({ cutOff }) => cutOff.stopAt({ from: 'database', text: EVENT_TYPES[0]?.name ?? '' }),
    times: once(MANY),
  },
  // A lane whose receiver has not answered yet has two on the wire; the others are claimed.
  'after the POST was sent': {
    path: '/sent',
    events: MANY,
    reached: () => books.received('/sent', 2),
    times: [2, 2, ...once(MANY - 2)],
  },
  'after the answer': {
    path: '/answered',
    events: 1,
    reached: ({ cutOff }) => cutOff.stopAt(SETTLE),
    times: [2],
  },
  'in the middle of settling': {
    path: '/settling',
    events: 1,
    reached: ({ cutOff }) => cutOff.stopAt(SETTLE, COMMIT),
    times: [2],
  },
  'after settling, before it knows that it was committed': {
    path: '/committed',
    events: 1,
    reached: ({ cutOff }) => cutOff.stopAt(SETTLE, COMMITTED),
    times: [1],
  },
} as const satisfies Record<string, Point>;

const FROZEN = '/frozen';

let database: TestDatabase;
let books: BookKeeper;
let api: RunningServer;
let client: Client;
let frozen: Worker;
const workers: Worker[] = [];
const subscriptions = new Map<string, string>();

async function startWorker(): Promise<Worker> {
  const cutOff = await openCutOff(database.ownerUrl);
  const worker = { server: await startServer({ ROLE: 'worker', DATABASE_URL: cutOff.url }), cutOff };
  workers.push(worker);
  signal(worker, 'SIGSTOP');
  return worker;
}

function signal({ server }: Worker, name: 'SIGSTOP' | 'SIGCONT'): void {
  process.kill(-server.pid, name);
}

/** One subscription and its events; each has an event type of its own. */
async function emitTo(path: string, index: number, count: number): Promise<void> {
  const type = EVENT_TYPES[index];
  if (type === undefined) throw new Error('There are as many event types as points.');
  const created = await client.post('/api/webhooks/subscriptions', {
    target_url: books.urlOf(path),
    event_type: type.name,
  });
  subscriptions.set(path, String(Reflect.get(Object(created.body), 'id')));
  const events = Array.from({ length: count }, () => ({ event: type.name, data: type.example }));
  expect((await client.post('/api/events', { events })).status).toBe(202);
}

const recordedOf = async (path: string): Promise<readonly Recorded[]> =>
  (await readRecorded(database.ownerUrl)).filter((one) => one.subscriptionId === subscriptions.get(path));

const timesOf = (path: string, recorded: readonly Recorded[]): readonly number[] =>
  recorded.map(({ id }) => books.entriesOf(path).filter((entry) => entry.deliveryId === id).length);

beforeAll(async () => {
  database = await createTestDatabase();
  books = await openBooks(({ path }) => (path === '/sent' || path === FROZEN ? 'never' : { status: 200 }));
  api = await startServer({ ROLE: 'api', DATABASE_URL: database.ownerUrl });
  client = await connectClient(api);
  const points: readonly Point[] = Object.values(POINTS);
  const [survivor, first, ...victims] = await Promise.all([0, 0, ...points].map(() => startWorker()));
  if (survivor === undefined || first === undefined) throw new Error('They were started.');
  frozen = first;

  signal(frozen, 'SIGCONT');
  await emitTo(FROZEN, points.length, 1);
  await books.received(FROZEN, 1);
  signal(frozen, 'SIGSTOP');
  books.release(FROZEN);
  for (const [index, point] of points.entries()) {
    const victim = victims[index];
    if (victim === undefined) throw new Error('There is one for each point.');
    signal(victim, 'SIGCONT');
    const reached = point.reached(victim);
    await emitTo(point.path, index, point.events);
    await reached;
    await victim.server.kill('SIGKILL');
  }
  books.release('/sent');
  signal(survivor, 'SIGCONT');
  const allSucceeded = async () =>
    (await readRecorded(database.ownerUrl)).every(({ status }) => status === 'SUCCEEDED');
  // A lane is free again when its heartbeat of 10 s has passed.
  await untilTrue(allSucceeded, 200);
});

afterAll(async () => {
  await Promise.all(workers.map(({ server }) => server.kill('SIGKILL')));
  await api.stop();
  await books.close();
  await Promise.all(workers.map(({ cutOff }) => cutOff.cut()));
  await database.drop();
});

describe('kill -9 of a worker (webhooks rule 13)', () => {
  it.each(Object.entries(POINTS))(
    '%s: what it had sent is sent again, everything else once, nothing is recorded twice',
    async (_name, { path, events, times }: Point) => {
      const recorded = await recordedOf(path);
      expect(recorded).toHaveLength(events);
      expect(recorded.map(({ attemptCount }) => attemptCount)).toEqual(once(events));
      expect(timesOf(path, recorded).toSorted((a, b) => b - a)).toEqual(times);
    },
  );

  it('leaves nothing lost, nothing stuck, and every count right', async () => {
    const recorded = await readRecorded(database.ownerUrl);
    expect(reckon([], recorded, books.entries())).toMatchObject({ lost: [], stuck: [], miscounted: [] });
  });
});

describe('a worker that was frozen past its lease (webhooks rule 15)', () => {
  it('comes late with its result, which is ignored: not recorded twice, and no attempt of another', async () => {
    const before = await recordedOf(FROZEN);
    expect(timesOf(FROZEN, before)).toEqual([2]);
    expect(before).toMatchObject([{ status: 'SUCCEEDED', attemptCount: 1, attempts: [1], updates: [1, 2] }]);
    signal(frozen, 'SIGCONT');
    const inFlight = async () =>
      valueOf(await scrape(frozen.server.url), 'optio_delivery_attempts_in_flight');
    await expect.poll(inFlight).toBe(0);
    // A stop in good order writes every result that there is.
    expect(await frozen.server.stop()).toEqual({ code: 0, signal: null });
    expect(await recordedOf(FROZEN)).toEqual(before);
    // It was known to be late: the constraints, which would have refused it, were not asked.
    expect(frozen.server.output()).not.toContain('violates');
  });
});
