/**
 * The pump: takes lanes, claims what is due in them, sends it side by side within each lane's limits, settles it in
 * batches. One per process; any number of processes on one database.
 */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { repeat } from '../lib/repeat.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJobs } from '../platform/jobs.ts';
import { type AttemptDependencies, makeAttempt, openTarget } from './attempt.ts';
import {
  addClaimed,
  claimSize,
  dropReady,
  isIdle,
  isTrusted,
  type Lane,
  openLane,
  rateLimit,
  takeNext,
} from './lane.ts';
import { findDueLanes } from './lane-queue.ts';
import {
  type ClaimRequest,
  claimDue,
  holdStragglers,
  loadSubscriptions,
  type SubscriptionRow,
} from './lane-sql.ts';
import type { Settlement } from './settlement.ts';

export type PumpOptions = AttemptDependencies & {
  readonly pool: Pool;
  readonly jobs: LaneJobs;
  readonly doorbell: Doorbell;
  readonly settlement: Settlement;
  readonly clock: Clock;
  readonly keys: MasterKeys;
  /** The server's retry schedule in seconds. */
  readonly retrySeconds: readonly number[];
  readonly onError: (error: Error) => void;
};

export type Pump = {
  /** Finishes what is on the wire, settles it and gives the lanes back. */
  readonly stop: () => Promise<void>;
  /** What the pump holds at the moment. */
  readonly load: () => { readonly lanes: number; readonly sending: number };
};

const MAX_LANES = 1_000;
const MAX_SENDING = 500;
const MAX_READY = 1_000;
const MAX_BACKLOG = 2_000;
// A lane that has run dry is kept a moment: what is emitted meanwhile needs no job to be fetched.
const LINGER_MS = 500;
// Well below the time after which pg-boss gives an active job up.
const MAX_TURN_MS = 600_000;

/** Starts to pump. */
export function startPump(options: PumpOptions): Pump {
  const { pool, jobs, doorbell, settlement, clock, onError } = options;
  const lanes = new Map<string, Lane>();
  let sending = 0;
  let stopping = false;

  const take = async (): Promise<void> => {
    while (!stopping && lanes.size < MAX_LANES) {
      const leases = await jobs.take(Math.min(200, MAX_LANES - lanes.size));
      for (const lease of leases) lanes.set(lease.subscriptionId, openLane(lease, performance.now()));
      if (leases.length === 0) break;
      claiming.hurry();
    }
  };

  const claim = async (): Promise<void> => {
    const asked = stopping ? [] : claimRequests(lanes.values());
    if (asked.length === 0) return;
    const inFlight = asked.flatMap(({ subscriptionId }) => [...(lanes.get(subscriptionId)?.unsettled ?? [])]);
    for (const { subscriptionId } of asked) setHungry(lanes.get(subscriptionId), false);
    const claims = await claimDue(pool, asked, inFlight, clock.now()).catch((error: unknown) => {
      for (const { subscriptionId } of asked) setHungry(lanes.get(subscriptionId), true);
      throw error;
    });
    await refresh(
      claims.filter(({ subscriptionId, version }) => lanes.get(subscriptionId)?.version !== version),
    );
    for (const [index, { subscriptionId, deliveries }] of claims.entries()) {
      const lane = lanes.get(subscriptionId);
      if (lane?.target === undefined) continue;
      addClaimed(lane, deliveries);
      if (deliveries.length > 0) lane.quietSince = performance.now();
      if (deliveries.length === limitOf(asked, subscriptionId, index)) lane.hungry = true;
    }
    send();
  };

  const refresh = async (changed: readonly { readonly subscriptionId: string }[]): Promise<void> => {
    const stale = changed.flatMap(({ subscriptionId }) => lanes.get(subscriptionId) ?? []);
    if (stale.length === 0) return;
    for (const row of await loadSubscriptions(
      pool,
      stale.map((lane) => lane.lease),
    )) {
      const lane = lanes.get(row.id);
      if (lane === undefined) continue;
      applySubscription(lane, row, options);
      if (row.status !== 'ACTIVE') await holdStragglers(pool, row);
    }
  };

  const send = (): void => {
    for (let progress = true; progress; ) {
      progress = false;
      for (const lane of lanes.values()) {
        if (stopping || sending >= MAX_SENDING || settlement.backlog() > MAX_BACKLOG) return;
        progress = sendOne(lane) || progress;
      }
    }
    if ([...lanes.values()].some((lane) => claimSize(lane, performance.now()) > 0)) claiming.hurry();
  };

  const sendOne = (lane: Lane): boolean => {
    const delivery = takeNext(lane, performance.now());
    if (delivery === undefined || lane.target === undefined) return false;
    sending += 1;
    void makeAttempt(options, lane.target, delivery)
      .then((settled) => {
        sending -= 1;
        lane.sending -= 1;
        scheduleSend();
        return settlement.add(settled);
      })
      .then(() => {
        lane.unsettled.delete(delivery.id);
        lane.quietSince = performance.now();
      })
      .catch(onError);
    return true;
  };

  let sendScheduled = false;
  // Once for all attempts that end in the same turn of the event loop.
  const scheduleSend = (): void => {
    if (sendScheduled) return;
    sendScheduled = true;
    setImmediate(() => {
      sendScheduled = false;
      send();
    });
  };

  const giveBack = async (): Promise<void> => {
    const now = performance.now();
    const done = [...lanes.values()].filter((lane) => isIdle(lane) && isDone(lane, now));
    for (const lane of done) lanes.delete(lane.lease.subscriptionId);
    if (done.length > 0) await jobs.complete(done.map((lane) => lane.lease));
    scheduleSend(); // Rate limits let more through as time passes.
  };

  const renew = async (): Promise<void> => {
    const asked = performance.now();
    const kept = new Set(await jobs.renew([...lanes.values()].map((lane) => lane.lease)));
    for (const lane of lanes.values()) {
      if (kept.has(lane.lease)) lane.renewedAt = asked;
      else if (lane.openedAt < asked) loseLane(lane);
    }
  };

  const loseLane = (lane: Lane): void => {
    dropReady(lane);
    lanes.delete(lane.lease.subscriptionId);
  };

  const scan = async (): Promise<void> => {
    const due = await findDueLanes(pool, clock.now());
    for (const { subscriptionId } of due) setHungry(lanes.get(subscriptionId), true);
    const others = due.filter(({ subscriptionId }) => !lanes.has(subscriptionId));
    if (others.length > 0) await jobs.enqueue(others);
    if (due.length > 0) doorbell.ring('lanes');
  };

  const claiming = repeat(claim, { intervalMs: 250, onError });
  const taking = repeat(take, { intervalMs: 500, onError });
  const loops = [
    taking,
    claiming,
    repeat(giveBack, { intervalMs: 100, onError }),
    repeat(renew, { intervalMs: 2_000, onError }),
    repeat(scan, { intervalMs: 1_000, onError }),
  ];
  const unlisten = doorbell.listen('lanes', () => {
    for (const lane of lanes.values()) lane.hungry = true;
    taking.hurry();
    claiming.hurry();
  });

  return {
    load: () => ({ lanes: lanes.size, sending }),
    stop: async () => {
      stopping = true;
      unlisten();
      for (const lane of lanes.values()) dropReady(lane);
      await Promise.all([taking, claiming].map((loop) => loop.stop()));
      while (sending > 0 || [...lanes.values()].some((lane) => !isIdle(lane))) await waitForSettling();
      await Promise.all(loops.map((loop) => loop.stop()));
      await jobs.complete([...lanes.values()].map((lane) => lane.lease));
    },
  };

  async function waitForSettling(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 10));
    await settlement.drain();
  }
}

/** What the lanes ask for, as much as there is room for. */
function claimRequests(lanes: Iterable<Lane>): ClaimRequest[] {
  const now = performance.now();
  const all = [...lanes];
  let room = MAX_READY - all.reduce((sum, lane) => sum + lane.ready.length, 0);
  const requests: ClaimRequest[] = [];
  for (const lane of all) {
    const limit = Math.min(claimSize(lane, now), room);
    if (limit <= 0) continue;
    room -= limit;
    requests.push({
      organizationId: lane.lease.organizationId,
      subscriptionId: lane.lease.subscriptionId,
      limit,
    });
  }
  return requests;
}

function limitOf(asked: readonly ClaimRequest[], subscriptionId: string, index: number): number | undefined {
  const guess = asked[index];
  return (
    guess?.subscriptionId === subscriptionId
      ? guess
      : asked.find((one) => one.subscriptionId === subscriptionId)
  )?.limit;
}

function setHungry(lane: Lane | undefined, hungry: boolean): void {
  if (lane !== undefined) lane.hungry = hungry;
}

function isDone(lane: Lane, now: number): boolean {
  return (
    (!lane.hungry && now - lane.quietSince > LINGER_MS) ||
    now - lane.openedAt > MAX_TURN_MS ||
    !isTrusted(lane, now)
  );
}

/** Takes over the settings of the subscription; what was claimed under the old ones is claimed again. */
function applySubscription(lane: Lane, row: SubscriptionRow, options: PumpOptions): void {
  dropReady(lane);
  lane.hungry = true;
  lane.version = row.version;
  lane.maxConcurrency = row.maxConcurrency;
  lane.rate = rateLimit(row.rateLimitPerSecond, performance.now());
  try {
    lane.target = row.deleted ? undefined : openTarget(row, options.keys, options.retrySeconds);
  } catch (cause) {
    lane.target = undefined;
    options.onError(new Error(`The secrets of webhook subscription ${row.id} cannot be opened.`, { cause }));
  }
}
