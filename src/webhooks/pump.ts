/**
 * The pump: takes lanes, claims what is due in them, sends it side by side within each lane's limits, settles it in
 * batches. One per process; any number of processes on one database.
 */
import { createBoundedMemory } from '../lib/bounded-memory.ts';
import { repeat } from '../lib/repeat.ts';
import type { LaneLease } from '../platform/jobs.ts';
import { createClaimer } from './claimer.ts';
import {
  dropReady,
  isFinished,
  isFull,
  isIdle,
  isTrusted,
  isTurnOver,
  type Lane,
  type LaneSettings,
  makeHungry,
  openLane,
  type Pace,
  settingsOf,
  shortenTurn,
} from './lane.ts';
import { findDueLanes, type NearWorker } from './lane-queue.ts';
import { prepareToClaim } from './lane-sql.ts';
import type { Lanes, PumpOptions } from './pump-options.ts';
import { createSender } from './sender.ts';

export type Pump = {
  /** Finishes what is on the wire, settles it and gives the lanes back. */
  readonly stop: () => Promise<void>;
  /** What the pump holds at the moment. */
  readonly load: () => { readonly lanes: number; readonly sending: number };
};

const MAX_LANES = 2_000;
const MANY_LANES = 200;
const TAKE_AT_ONCE = 200;
const MAX_REMEMBERED = 10_000;
// Fewer: they hold what is secret, and some kilobytes each.
const MAX_KNOWN = 2_000;
const STOP_CHECK_MS = 10;

/** Starts to pump. */
export function startPump(options: PumpOptions): Pump {
  const { pool, claimPool, jobs, doorbell, laneQueue, settlement, clock, onError } = options;
  const lanes: Lanes = new Map();
  // What was on the wire when a lane was lost: should it come back, that is not claimed a second time.
  const left = new Map<string, Set<string>>();
  // How receivers answered the last time: so that one that was dead need not be found so again.
  const paces = createBoundedMemory<Pace>(MAX_REMEMBERED);
  // What was read of a subscription: who is sent to now and then need not be read each time.
  const known = createBoundedMemory<LaneSettings>(MAX_KNOWN);
  const sender = createSender(lanes, options, () => claiming.hurry());
  const claim = createClaimer(lanes, options);
  // Connects and plans, so that the first delivery need not wait for it.
  const prepared = Promise.all([prepareToClaim(claimPool), jobs.takeOrQueue([])]).catch(onError);

  const take = async (): Promise<void> => {
    for (let room = MAX_LANES - lanes.size; room > 0; room = MAX_LANES - lanes.size) {
      const askedAt = performance.now();
      const leases = await jobs.take(Math.min(TAKE_AT_ONCE, room));
      if (leases.length === 0) return;
      for (const lease of leases) open(lease, askedAt);
      claiming.hurry();
    }
  };

  let takingNews: Promise<readonly LaneLease[]> = Promise.resolve([]);

  /** Where there is not room for all, or they are too many for one worker, they are queued for all. */
  const takeOrQueue: NearWorker['takeOrQueue'] = async (woken) => {
    if (woken.length > Math.min(TAKE_AT_ONCE, MAX_LANES - lanes.size)) {
      await jobs.enqueue(woken);
      doorbell.ring('queue');
      return woken;
    }
    const askedAt = performance.now();
    takingNews = jobs.takeOrQueue(woken);
    for (const lease of await takingNews) open(lease, askedAt);
    claiming.hurry();
    return woken.filter(({ subscriptionId }) => !lanes.has(subscriptionId));
  };

  /** `askedAt`: its lease began after that; whoever was frozen before it heard of it may have lost it already. */
  const open = (lease: LaneLease, askedAt: number): void => {
    const { subscriptionId } = lease;
    const lost = lanes.get(subscriptionId);
    if (lost !== undefined) loseLane(lost);
    const memory = {
      pace: paces.get(subscriptionId),
      settings: known.get(subscriptionId),
      unsettled: left.get(subscriptionId),
    };
    lanes.set(subscriptionId, openLane(lease, askedAt, memory));
    left.delete(subscriptionId);
  };

  const close = (lane: Lane): void => {
    const { subscriptionId } = lane.lease;
    paces.set(subscriptionId, lane.pace);
    known.set(subscriptionId, settingsOf(lane));
    if (lanes.get(subscriptionId) === lane) lanes.delete(subscriptionId);
  };

  const giveBack = async (): Promise<void> => {
    const now = performance.now();
    const crowded = lanes.size >= MAX_LANES;
    if (crowded) for (const lane of lanes.values()) shortenTurn(lane, now);
    const finished = [...lanes.values()].filter((lane) => isFinished(lane, now, lingerMs(lanes.size)));
    finished.forEach(close);
    await jobs.complete(finished.map((lane) => lane.lease));
    // What is left in a lane whose turn is over comes after those that waited.
    const unfinished = finished.filter((lane) => isTurnOver(lane, now));
    if (unfinished.length > 0)
      await jobs.enqueue(
        unfinished.map(({ lease: { organizationId, subscriptionId } }) => ({
          organizationId,
          subscriptionId,
        })),
      );
    if (crowded && finished.length > 0) taking.hurry();
    sender.send(); // Rate limits let more through as time passes, and what hangs has turned slow.
  };

  const renew = async (): Promise<void> => {
    const asked = [...lanes.values()];
    const askedAt = performance.now();
    const kept = new Set(await jobs.renew(asked.map((lane) => lane.lease)));
    for (const lane of asked) {
      if (kept.has(lane.lease)) lane.renewedAt = askedAt;
      else loseLane(lane);
    }
  };

  /** Somebody else has it: what is on the wire ends, and its late result is found to be none. */
  const loseLane = (lane: Lane): void => {
    dropReady(lane);
    const { subscriptionId } = lane.lease;
    if (lanes.get(subscriptionId) !== lane) return;
    close(lane);
    if (!isIdle(lane)) left.set(subscriptionId, lane.unsettled);
  };

  const scan = async (): Promise<void> => {
    const due = await findDueLanes(pool, clock.now());
    for (const lane of due.flatMap(({ subscriptionId }) => lanes.get(subscriptionId) ?? [])) makeHungry(lane);
    const others = due.filter(({ subscriptionId }) => !lanes.has(subscriptionId));
    if (due.length > others.length) claiming.hurry();
    if (others.length === 0) return;
    await jobs.enqueue(others);
    doorbell.ringElsewhere('lanes');
    doorbell.ring('queue');
  };

  const claiming = repeat(
    async () => {
      // Nothing claimed, nothing new to send: or a lane that cannot claim would turn this in circles.
      if (await claim()) sender.send();
    },
    { intervalMs: 250, onError },
  );
  const taking = repeat(take, { intervalMs: 500, onError });
  const scanning = repeat(scan, { intervalMs: 1_000, onError });
  const keeping = [
    repeat(giveBack, { intervalMs: 100, onError }),
    repeat(renew, { intervalMs: 2_000, onError }),
  ];
  const wakeHeld = (): void => {
    for (const lane of lanes.values()) makeHungry(lane);
    claiming.hurry();
  };
  const look: NearWorker['look'] = (woken) => {
    const now = performance.now();
    return woken.filter(({ subscriptionId }) => {
      const lane = lanes.get(subscriptionId);
      if (lane === undefined || !isTrusted(lane, now)) return true;
      makeHungry(lane);
      claiming.hurry();
      return false;
    });
  };
  const unlisten = [
    laneQueue.serve({ look, takeOrQueue }),
    doorbell.listen('lanes', wakeHeld),
    doorbell.listen('queue', () => taking.hurry()),
  ];

  return {
    load: () => ({ lanes: lanes.size, sending: sender.sending() }),
    stop: async () => {
      for (const end of unlisten) end();
      sender.stop();
      await takingNews.catch(() => undefined); // Who asked for it is told.
      await Promise.all([prepared, taking.stop(), claiming.stop(), scanning.stop()]);
      for (const lane of lanes.values()) dropReady(lane);
      const mayEnd = (lane: Lane): boolean => isIdle(lane) && isFull(lane.rate, performance.now());
      while (sender.sending() > 0 || ![...lanes.values()].every(mayEnd)) {
        await new Promise((resolve) => setTimeout(resolve, STOP_CHECK_MS));
        await settlement.drain();
      }
      await Promise.all(keeping.map((loop) => loop.stop()));
      await jobs.complete([...lanes.values()].map((lane) => lane.lease));
    },
  };
}

/** How long a dry lane is kept. Every ring makes each one look, which many of them make dear. */
function lingerMs(lanes: number): number {
  if (lanes >= MAX_LANES) return 0;
  return lanes > MANY_LANES ? 500 : 5_000;
}
