/** Sends what the lanes hold ready, in turn, as many attempts side by side as the lanes and the process allow. */
import { makeAttempt } from './attempt.ts';
import { claimSize, type Lane, makeHungry, noteEnded, noteTime, type Pace, takeNext } from './lane.ts';
import type { ClaimedDelivery } from './lane-sql.ts';
import type { Lanes, PumpOptions } from './pump-options.ts';

export type Sender = {
  /** Sends what may be sent now; once for all callers of the same turn of the event loop. */
  readonly send: () => void;
  /** Attempts on the wire. */
  readonly sending: () => number;
  /** Nothing is sent any more; what is on the wire ends. */
  readonly stop: () => void;
};

// Each lane has a place on the wire of its own, which nobody can take from it. The others are shared by pace; what
// turned slow on the wire counts as slow from then on, so that it leaves its place to those that answer.
const SHARE: Readonly<Record<Pace, number>> = { fast: 1_000, slow: 500, new: 250 };
const MAX_SHARED = 2_000;
// Results that the database has not taken yet; beyond that, sending waits for it.
const MAX_BACKLOG = 2_000;

/** `onHungry` is called after sending, when a lane could send more than it holds. */
export function createSender(lanes: Lanes, options: PumpOptions, onHungry: () => void): Sender {
  const { settlement, onError } = options;
  let sending = 0;
  let first = 0;
  let scheduled = false;
  let stopped = false;

  const maySend = (): boolean => !stopped && settlement.backlog() <= MAX_BACKLOG;

  /** One delivery of each lane in turn, each time beginning with another one, so that all get their share. */
  const sendRound = (all: readonly Lane[], places: Places): boolean => {
    let progress = false;
    for (let index = 0; index < all.length; index++) {
      const lane = all[(first + index) % all.length];
      if (lane === undefined || !places.hasOneFor(lane)) continue;
      const delivery = takeNext(lane, performance.now());
      if (delivery === undefined) continue;
      places.take(lane);
      progress = true;
      attempt(lane, delivery).catch(onError);
    }
    first += 1;
    return progress;
  };

  const attempt = async (lane: Lane, delivery: ClaimedDelivery): Promise<void> => {
    if (lane.target === undefined) return;
    sending += 1;
    try {
      const settled = await makeAttempt(options, lane.target, delivery).finally(() => {
        sending -= 1;
        send();
      });
      noteEnded(lane, delivery.id, settled.result.timing.totalMs);
      await settlement.add(settled);
    } finally {
      lane.onWire.delete(delivery.id);
      lane.unsettled.delete(delivery.id);
      lane.quietSince = performance.now();
      // It was its key's turn; now it may be the next one's.
      if (lane.walk !== undefined) {
        makeHungry(lane);
        send();
      }
    }
  };

  const run = (): void => {
    scheduled = false;
    const all = [...lanes.values()];
    const now = performance.now();
    const places = countPlaces(all, now);
    while (maySend() && sendRound(all, places));
    if (!stopped && all.some((lane) => claimSize(lane, now) > 0)) onHungry();
  };

  const send = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(run);
  };

  return {
    send,
    sending: () => sending,
    stop: () => {
      stopped = true;
    },
  };
}

type Places = { readonly hasOneFor: (lane: Lane) => boolean; readonly take: (lane: Lane) => void };

/** The places on the wire as they are taken now. */
function countPlaces(all: readonly Lane[], now: number): Places {
  const taken: Record<Pace, number> = { fast: 0, slow: 0, new: 0 };
  let shared = 0;
  const add = (lane: Lane, count: number): void => {
    taken[lane.pace] += count;
    shared += count;
  };
  for (const lane of all) {
    noteTime(lane, now);
    add(lane, Math.max(0, lane.onWire.size - 1));
  }
  return {
    hasOneFor: (lane) =>
      lane.onWire.size === 0 || (taken[lane.pace] < SHARE[lane.pace] && shared < MAX_SHARED),
    take: (lane) => add(lane, lane.onWire.size > 1 ? 1 : 0),
  };
}
