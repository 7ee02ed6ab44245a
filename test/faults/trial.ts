/** One run: an installation under load, faults one after the other, and the reckoning when all has come to rest. */
import type { Client } from '../support/client.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import type { ReceivedRequest } from '../support/receiver.ts';
import { type BookKeeper, type Entry, openBooks, type Reply } from './book-keeper.ts';
import { FAULTS, type Fault, type FaultName } from './faults.ts';
import { type Installation, startInstallation } from './installation.ts';
import { startLoad } from './load.ts';
import { type Random, seeded } from './random.ts';
import { type Reckoning, readRecorded, reckon } from './reckoning.ts';
import { until } from './until.ts';

export type TrialOptions = {
  readonly seed: number;
  readonly faults: readonly FaultName[];
  readonly report?: (line: string) => void;
};

export type TrialResult = Reckoning & {
  readonly seed: number;
  readonly faults: readonly FaultName[];
  readonly events: number;
  /** Sent twice though no crash explains it. */
  readonly unexplained: readonly string[];
};

type Window = { readonly name: FaultName; readonly from: number; readonly to: number };

const CALM_MS = [300, 1_500] as const;
// Lanes are taken over after 10 s, and the schedule has eight retries a second apart.
const AT_REST_WITHIN_MS = 2 * PATIENCE_MS;
// From an answer until its settlement is committed, on a busy machine.
const SETTLED_WITHIN_MS = 2_000;
const SUBSCRIPTIONS = [
  { path: '/quick', types: '*' },
  { path: '/slow', types: '*' },
  { path: '/flaky', types: '*' },
  { path: '/badges', types: 'badge.earned' },
] as const;

/** Runs it from empty folders to empty folders. */
export async function runTrial({ seed, faults, report = () => {} }: TrialOptions): Promise<TrialResult> {
  const random = seeded(seed);
  const books = await openBooks(receiverFor(random));
  const installation = await startInstallation({ apis: 1, workers: 2 });
  try {
    const subscribers = await subscribeAll(await installation.connect(), books);
    const load = startLoad({
      connect: installation.connect,
      subscribersOf: subscribers,
      random: seeded(seed),
    });
    const windows = await hurt(installation, faults, random, report);
    const emitted = await load.stop();
    await atRest(installation);
    const recorded = await readRecorded(installation.ownerUrl());
    const reckoning = reckon(emitted, recorded, books.entries());
    const unexplained = reckoning.repeated.filter((id) => !isExplained(id, books.entries(), windows));
    return { ...reckoning, seed, faults, events: emitted.length, unexplained };
  } finally {
    await installation.stop();
    await books.close();
  }
}

async function hurt(
  installation: Installation,
  faults: readonly FaultName[],
  random: Random,
  report: (line: string) => void,
): Promise<readonly Window[]> {
  const windows: Window[] = [];
  await pause(random.between(...CALM_MS));
  for (const name of faults) {
    const fault: Fault = FAULTS[name];
    const begin = await fault.prepare?.(installation);
    const from = performance.now();
    await begin?.();
    await fault.act(installation, random);
    windows.push({ name, from, to: performance.now() });
    report(`${name}: ${Math.round(performance.now() - from)} ms`);
    await pause(random.between(...CALM_MS));
  }
  return windows;
}

/** Until nothing is due any more, in whatever state that may be. */
async function atRest({ query }: Installation): Promise<void> {
  const nothingWaits = async (): Promise<boolean> =>
    (await query('SELECT FROM deliveries WHERE due_at IS NOT NULL LIMIT 1')).rowCount === 0;
  // What does not come to rest is counted as stuck.
  await until('an installation at rest', nothingWaits, AT_REST_WITHIN_MS).catch(() => undefined);
}

/** Whether a request of the delivery was on the wire, or just answered, while a crash happened. */
function isExplained(deliveryId: string, entries: readonly Entry[], windows: readonly Window[]): boolean {
  return entries
    .filter((entry) => entry.deliveryId === deliveryId)
    .some((entry) => windows.some((window) => FAULTS[window.name].isCrash && overlaps(entry, window)));
}

function overlaps({ at, answeredAt = Number.POSITIVE_INFINITY }: Entry, { from, to }: Window): boolean {
  return at <= to && answeredAt + SETTLED_WITHIN_MS >= from;
}

function receiverFor(random: Random): (request: ReceivedRequest) => Reply {
  return ({ path }) => {
    if (path === '/slow') return { afterMs: random.between(20, 200), status: 200 };
    if (path !== '/flaky') return { status: 200 };
    const chance = random.next();
    if (chance < 0.05) return { afterMs: 20, status: 'broken' };
    return { afterMs: random.between(0, 50), status: chance < 0.25 ? 503 : 200 };
  };
}

async function subscribeAll(client: Client, books: BookKeeper): Promise<(type: string) => readonly string[]> {
  const subscriptions: { readonly id: string; readonly types: string }[] = [];
  for (const { path, types } of SUBSCRIPTIONS) {
    const body = { target_url: books.urlOf(path), event_types: types === '*' ? types : [types] };
    const answer = await client.post('/api/webhooks/subscriptions', body);
    if (answer.status !== 201) throw new Error(`Subscribing answered ${answer.status}.`);
    subscriptions.push({ id: String(Reflect.get(Object(answer.body), 'id')), types });
  }
  return (type) => subscriptions.filter(({ types }) => types === '*' || types === type).map(({ id }) => id);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
