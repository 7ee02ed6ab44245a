/**
 * Many subscribers of the live stream at two API processes, cut off at random while deliveries go on: each of them has to
 * see every line of the update log once, in its order (webhooks rules 36 to 38).
 */
import { Client as Database } from 'pg';
import { badgeEarned, connectClient, subscribe } from '../support/client.ts';
import { startReceiver } from '../support/receiver.ts';
import { CLIENT } from '../support/server.ts';
import { type FollowerGroup, startFollowers } from './follower-group.ts';
import type { Account } from './follower-messages.ts';
import { type Installation, startInstallation } from './installation.ts';
import { type Random, seeded } from './random.ts';
import { until } from './until.ts';

export type LiveTrialOptions = {
  readonly seed: number;
  readonly subscribers: number;
  /** Status changes a second; each delivery has two. */
  readonly changesPerSecond: number;
  readonly seconds: number;
  /** How often each subscriber is cut off, on average. */
  readonly cutOffEverySeconds: number;
  /** Whether one of the servers is stopped and the other one killed in the middle; each is started again. */
  readonly restarts: boolean;
  readonly report?: (line: string) => void;
};

export type LiveTrialResult = {
  readonly changes: number;
  readonly changesPerSecond: number;
  readonly connections: number;
  /** Lines that subscribers did not see, saw more than once, or saw in another order, of all subscribers together. */
  readonly missed: number;
  readonly repeated: number;
  readonly disordered: number;
  readonly complaints: readonly string[];
  /** From the last change until the last subscriber had seen it. */
  readonly caughtUpSeconds: number;
};

const STREAMS_A_CLIENT = 40;
const GROUPS = 2;
const TICK_MS = 100;
const NO_PROGRESS_MS = 30_000;
const DELIVERED_WITHIN_MS = 120_000;

/** Runs it from empty folders to empty folders. */
export async function runLiveTrial(options: LiveTrialOptions): Promise<LiveTrialResult> {
  const { report = () => {} } = options;
  const random = seeded(options.seed);
  const receiver = await startReceiver();
  const installation = await startInstallation({ apis: 2, workers: 1 });
  const groups = await openFollowers(installation, random, options.subscribers);
  try {
    await Promise.all(groups.map(({ ready }) => ready));
    report(`${options.subscribers} subscribers are live`);
    await subscribe(await installation.connect(), receiver.url);
    const startedAt = performance.now();
    const [cutOffs] = await Promise.all([
      disturb(groups, installation, random, options),
      emitSteadily(installation, options),
      options.restarts ? restart(installation, options) : undefined,
    ]);
    const log = await readWholeLog(installation);
    const seconds = (performance.now() - startedAt) / 1_000;
    report(`${log.length} changes in ${seconds.toFixed(1)} s, ${cutOffs} cuts`);
    const caughtUpSeconds = await caughtUp(groups, installation, log.length);
    const accounts = (await Promise.all(groups.map((group) => group.end()))).flat();
    return {
      ...compare(accounts, log),
      changesPerSecond: Math.round(log.length / seconds),
      caughtUpSeconds,
    };
  } finally {
    await Promise.all(groups.map((group) => group.stop()));
    await installation.stop();
    await receiver.close();
  }
}

async function openFollowers(
  { apis, query }: Installation,
  random: Random,
  count: number,
): Promise<readonly FollowerGroup[]> {
  const clients = Math.ceil(count / STREAMS_A_CLIENT);
  await query(copyClient(clients));
  const tokens: string[] = [];
  for (let index = 1; index <= clients; index += 1) {
    const { server } = random.pick(apis);
    tokens.push((await connectClient(server, { id: `follower-${index}`, secret: CLIENT.secret })).token);
  }
  const followers = Array.from({ length: count }, (_, index) => ({
    token: tokens[index % clients] ?? '',
    transport: index % 2 === 0 ? ('websocket' as const) : ('sse' as const),
  }));
  const size = Math.ceil(count / GROUPS);
  return Array.from({ length: GROUPS }, (_, group) =>
    startFollowers({
      seed: random.between(1, 1_000_000),
      urls: urlsOf(apis),
      followers: followers.slice(group * size, (group + 1) * size),
    }),
  );
}

function urlsOf(apis: Installation['apis']): readonly string[] {
  return apis.map(({ server }) => server.url);
}

/** So many clients like the first one: a client may have a hundred streams. */
function copyClient(count: number): string {
  return `
    WITH made AS (
      INSERT INTO oauth_clients
      SELECT (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'client_id', 'follower-' || n))).*
      FROM oauth_clients c, generate_series(1, ${count}) AS n WHERE c.client_id = '${CLIENT.id}'
      RETURNING organization_id, id)
    INSERT INTO oauth_client_secrets (organization_id, id, client_ref, hash)
    SELECT made.organization_id, gen_random_uuid(), made.id, s.hash
    FROM made, oauth_client_secrets s JOIN oauth_clients c ON c.id = s.client_ref WHERE c.client_id = '${CLIENT.id}'`;
}

/** Emits until the time is over, then waits until all is delivered. */
async function emitSteadily(
  installation: Installation,
  { changesPerSecond, seconds }: LiveTrialOptions,
): Promise<void> {
  const { server } = installation.workers[0] ?? {};
  if (server === undefined) throw new Error('There is a worker.');
  let client = await installation.connect();
  const startedAt = performance.now();
  let emitted = 0;
  const due = (): number =>
    Math.floor((Math.min(performance.now() - startedAt, seconds * 1_000) / 2_000) * changesPerSecond);
  while (performance.now() - startedAt < seconds * 1_000 || emitted < due()) {
    const count = Math.min(due() - emitted, 500);
    const events = Array.from({ length: count }, (_, index) => ({
      ...badgeEarned(),
      idempotency_key: `${emitted + index}`,
    }));
    const answer =
      count > 0 ? await client.post('/api/events', { events }).catch(() => undefined) : { status: 202 };
    if (answer?.status === 202) emitted += count;
    else client = await installation.connect().catch(() => client);
    await pause(TICK_MS);
  }
  const { query } = installation;
  const allDelivered = async (): Promise<boolean> =>
    (await query('SELECT FROM deliveries WHERE due_at IS NOT NULL LIMIT 1')).rowCount === 0;
  await until('every delivery made', allDelivered, DELIVERED_WITHIN_MS);
}

/** Cuts subscribers off, and lets some of them read nothing for a while. Answers how many cuts there were. */
async function disturb(
  groups: readonly FollowerGroup[],
  { apis }: Installation,
  random: Random,
  { seconds, cutOffEverySeconds }: LiveTrialOptions,
): Promise<number> {
  let cuts = 0;
  // So many turns, and not so much time: on a slow machine there are as many cuts.
  for (let turn = 0; turn < (seconds * 1_000) / TICK_MS; turn += 1) {
    for (const group of groups) {
      group.setUrls(urlsOf(apis));
      for (let index = 0; index < group.size; index += 1) {
        if (random.next() >= TICK_MS / 1_000 / cutOffEverySeconds) continue;
        cuts += 1;
        if (random.next() < 0.2) group.dawdle(index, random.between(500, 3_000));
        else group.cutOff(index);
      }
    }
    await pause(TICK_MS);
  }
  return cuts;
}

async function restart(
  { apis: [first, second] }: Installation,
  { seconds }: LiveTrialOptions,
): Promise<void> {
  await pause((seconds * 1_000) / 4);
  await second?.server.stop();
  await second?.restart();
  await pause((seconds * 1_000) / 4);
  await first?.server.kill('SIGKILL');
  await first?.restart();
}

async function readWholeLog(installation: Installation): Promise<readonly number[]> {
  const database = new Database({ connectionString: installation.ownerUrl() });
  await database.connect();
  const { rows } = await database.query<{ line: number }>(
    'SELECT sequence::float8 AS line FROM delivery_updates ORDER BY transaction_id, sequence',
  );
  await database.end();
  return rows.map(({ line }) => line);
}

/** Answers how long it took. When nobody comes any further for half a minute, they are given up, and counted. */
async function caughtUp(
  groups: readonly FollowerGroup[],
  { apis }: Installation,
  lines: number,
): Promise<number> {
  const startedAt = performance.now();
  const wanted = lines * groups.reduce((sum, { size }) => sum + size, 0);
  const count = (): number => groups.reduce((sum, group) => sum + group.lines(), 0);
  let before = { count: -1, at: startedAt };
  while (count() < wanted && performance.now() - before.at < NO_PROGRESS_MS) {
    if (count() > before.count) before = { count: count(), at: performance.now() };
    for (const group of groups) group.setUrls(urlsOf(apis));
    await pause(TICK_MS);
  }
  return Math.round((performance.now() - startedAt) / 100) / 10;
}

function compare(accounts: readonly Account[], log: readonly number[]) {
  const place = new Map(log.map((line, index) => [line, index]));
  const sum = (count: (account: Account) => number): number =>
    accounts.reduce((total, account) => total + count(account), 0);
  return {
    changes: log.length,
    connections: sum(({ connections }) => connections),
    missed: sum(({ seen }) => log.length - new Set(seen).size),
    repeated: sum(({ seen }) => seen.length - new Set(seen).size),
    disordered: sum(({ seen }) => countBackward(seen.map((line) => place.get(line) ?? -1))),
    complaints: accounts.flatMap(({ complaints }) => complaints),
  };
}

function countBackward(places: readonly number[]): number {
  return places.filter((place, index) => place < (places[index - 1] ?? -1)).length;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
