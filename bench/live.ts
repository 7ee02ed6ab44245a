/** How long a settled attempt takes to the pages that watch, and what more of them cost the database. */
import { createClient } from 'graphql-ws';
import { z } from 'zod';
import { systemClock } from '../src/lib/clock.ts';
import { bootstrapClient } from '../src/oauth/bootstrap-client.ts';
import { createPool, inTransaction } from '../src/platform/database/pool.ts';
import { badgeEarned, connectClient } from '../test/support/client.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { cpuMsOf } from './support/cpu.ts';
import { type Optio, organizationOf, startOptio } from './support/optio.ts';
import { startReceiverProcess } from './support/receiver.ts';
import { percentile, round } from './support/statistics.ts';
import { subscribePath } from './support/subscriptions.ts';

const CROWD = 1_000;
// As many streams as a client may have.
const PER_CLIENT = 100;
const AT_A_TIME = 50;
const EVENTS = 60;
const PAUSE_MS = 200;
const GOAL_P50_MS = 20;
const DOCUMENT = `subscription {
  deliveryUpdates { __typename ... on DeliveryUpdated { at deliveryId status cursor } ... on StreamReady { cursor } }
}`;

const item = z.object({
  deliveryUpdates: z.object({
    __typename: z.string(),
    at: z.string().optional(),
    status: z.string().optional(),
    cursor: z.string(),
  }),
});

/** What one subscriber saw: the lateness of each settled delivery in milliseconds, and how many updates in all. */
type Seen = { readonly latenessMs: number[]; updates: number };
type Watching = { readonly complete: Promise<Seen> };
type Figures = {
  readonly p50: number;
  readonly p99: number;
  readonly postgresMs: number;
  readonly serverMs: number;
};

export async function run(report: (line: string) => void): Promise<Outcome> {
  const receiver = await startReceiverProcess();
  // The crowd comes from one address, which may have as many connections as a proxy.
  const environment = { GRAPHQL_POINTS_PER_MINUTE: '1000000000', TRUSTED_PROXIES: '127.0.0.1' };
  const optio = await startOptio({ environment });
  try {
    await subscribePath(optio.client, {
      origin: receiver.origin,
      path: '/live',
      eventType: '*',
      maxConcurrency: 10,
    });
    const tokens = await tokensFor(optio, CROWD / PER_CLIENT);
    await measure(optio, tokens, 1);
    const alone = await measure(optio, tokens, 1);
    report(`one subscriber: p50 ${alone.p50} ms`);
    const crowd = await measure(optio, tokens, CROWD);
    report(`${CROWD} subscribers: p50 ${crowd.p50} ms`);
    return toOutcome(alone, crowd);
  } finally {
    await optio.stop();
    await receiver.stop();
  }
}

/** A token for each of as many clients. */
async function tokensFor(optio: Optio, count: number): Promise<readonly string[]> {
  const pool = createPool({ url: optio.databaseUrl, maxConnections: 1, onIdleError: () => undefined });
  const organization = { id: await organizationOf(optio) };
  const tokens: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const credentials = { id: `watcher-${number}`, secret: 'WatcherSecretOfFortyCharactersAtTheLeast0' };
    const create = bootstrapClient(
      { clientId: credentials.id, clientSecret: credentials.secret },
      systemClock,
    );
    await inTransaction(pool, (tx) => create(tx, organization));
    tokens.push((await connectClient(optio, credentials)).token);
  }
  await pool.end();
  return tokens;
}

/** Emits one event after the other while so many watch; each has to see every update once. */
async function measure(optio: Optio, tokens: readonly string[], subscribers: number): Promise<Figures> {
  // As many updates for each delivery: made, and settled.
  const expected = EVENTS * 2;
  const watched = await watchAll(optio.url, tokens, subscribers, expected);
  const before = [cpuMsOf(optio.postgresPid), cpuMsOf(optio.serverPid)] as const;
  for (let index = 0; index < EVENTS; index += 1) {
    const { status } = await optio.client.post('/api/events', badgeEarned(index));
    verifyWork('the answer to an event', status, 202);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  const seen = await Promise.all(watched.map(({ complete }) => complete));
  for (const { updates } of seen) verifyWork('the updates that a subscriber saw', updates, expected);
  const lateness = seen.flatMap((one) => one.latenessMs);
  return {
    p50: round(percentile(lateness, 50), 1),
    p99: round(percentile(lateness, 99), 1),
    postgresMs: round((cpuMsOf(optio.postgresPid) - before[0]) / EVENTS, 2),
    serverMs: round((cpuMsOf(optio.serverPid) - before[1]) / EVENTS, 2),
  };
}

/** Opens them some at a time, as pages come back after a restart. */
async function watchAll(
  url: string,
  tokens: readonly string[],
  subscribers: number,
  expected: number,
): Promise<readonly Watching[]> {
  const all: Watching[] = [];
  while (all.length < subscribers) {
    const token = tokens[Math.floor(all.length / PER_CLIENT)] ?? '';
    const some = Math.min(AT_A_TIME, subscribers - all.length);
    all.push(...(await Promise.all(Array.from({ length: some }, () => watch(url, token, expected)))));
  }
  return all;
}

/** Resolves when it is watching; `complete` resolves when it has seen as many updates. */
async function watch(url: string, token: string, expected: number): Promise<Watching> {
  const socket = createClient({
    url: `${url.replace('http:', 'ws:')}/graphql`,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const ready = Promise.withResolvers<void>();
  const read = async (): Promise<Seen> => {
    const seen: Seen = { latenessMs: [], updates: 0 };
    for await (const { data } of socket.iterate({ query: DOCUMENT })) {
      note(seen, item.parse(data).deliveryUpdates, ready.resolve);
      if (seen.updates === expected) break;
    }
    await socket.dispose();
    return seen;
  };
  const complete = read();
  await Promise.race([ready.promise, complete]);
  return { complete };
}

function note(seen: Seen, update: z.infer<typeof item>['deliveryUpdates'], ready: () => void): void {
  if (update.__typename === 'StreamReady') return ready();
  seen.updates += 1;
  if (update.status === 'SUCCEEDED' && update.at !== undefined)
    seen.latenessMs.push(performance.timeOrigin + performance.now() - Date.parse(update.at));
}

function toOutcome(alone: Figures, crowd: Figures): Outcome {
  const row = (label: string, one: Figures) => [label, one.p50, one.p99, one.postgresMs, one.serverMs];
  const more = round(crowd.postgresMs / alone.postgresMs, 2);
  return {
    what:
      `${EVENTS} events, ${PAUSE_MS} ms apart, watched over WebSockets. Late: from the time of settling (whole milliseconds) to the ` +
      'subscriber. Processor time for each event, its delivery included; the subscribers run in the process of the benchmark.',
    table: {
      columns: ['', 'late p50 ms', 'p99 ms', 'Postgres CPU ms', 'server CPU ms'],
      rows: [row('1 subscriber', alone), row(`${CROWD} subscribers`, crowd)],
    },
    goals: [
      { goal: `p50 under ${GOAL_P50_MS} ms: ${alone.p50}`, isMet: alone.p50 < GOAL_P50_MS },
      {
        goal: `${CROWD} subscribers cost the database no query each: ${more} times the processor time`,
        isMet: more < 2,
      },
    ],
    measurements: { events: EVENTS, pauseMs: PAUSE_MS, crowd: CROWD, alone, crowdFigures: crowd },
  };
}
