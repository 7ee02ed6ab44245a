/** Sends what the lanes hold ready, in turn, as many attempts side by side as the lanes and the process allow. */
import { makeAttempt } from './attempt.ts';
import { claimSize, type Lane, noteEnded, type Pace, takeNext } from './lane.ts';
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

const MAX_SENDING = 1_000;
// The most that lanes of a pace may have of that, all together.
const SHARE: Readonly<Record<Pace, number>> = { fast: 1_000, slow: 500, new: 250 };
// Results that the database has not taken yet; beyond that, sending waits for it.
const MAX_BACKLOG = 2_000;

/** `onHungry` is called after sending, when a lane could send more than it holds. */
export function createSender(lanes: Lanes, options: PumpOptions, onHungry: () => void): Sender {
  const { settlement, onError } = options;
  let sending = 0;
  const byPace: Record<Pace, number> = { fast: 0, slow: 0, new: 0 };
  let first = 0;
  let scheduled = false;
  let stopped = false;

  const hasRoom = ({ pace }: Lane): boolean => sending < MAX_SENDING && byPace[pace] < SHARE[pace];

  const maySend = (): boolean => !stopped && settlement.backlog() <= MAX_BACKLOG;

  /** One delivery of each lane in turn, each time beginning with another one, so that all get their share. */
  const sendRound = (all: readonly Lane[]): boolean => {
    let progress = false;
    for (let index = 0; index < all.length; index++) {
      const lane = all[(first + index) % all.length];
      if (lane === undefined || !hasRoom(lane)) continue;
      const delivery = takeNext(lane, performance.now());
      if (delivery === undefined) continue;
      progress = true;
      attempt(lane, delivery).catch(onError);
    }
    first += 1;
    return progress;
  };

  const attempt = async (lane: Lane, delivery: ClaimedDelivery): Promise<void> => {
    if (lane.target === undefined) return;
    const { pace } = lane;
    sending += 1;
    byPace[pace] += 1;
    try {
      const settled = await makeAttempt(options, lane.target, delivery).finally(() => {
        sending -= 1;
        byPace[pace] -= 1;
        lane.sending -= 1;
        send();
      });
      noteEnded(lane, settled.result.timing.totalMs);
      await settlement.add(settled);
    } finally {
      lane.unsettled.delete(delivery.id);
      lane.quietSince = performance.now();
    }
  };

  const run = (): void => {
    scheduled = false;
    const all = [...lanes.values()];
    while (maySend() && sendRound(all));
    const now = performance.now();
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
