/** Sends what the lanes hold ready, in turn, as many attempts side by side as the lanes and the process allow. */
import { makeAttempt } from './attempt.ts';
import { claimSize, type Lane, takeNext } from './lane.ts';
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

const MAX_SENDING = 500;
// Results that the database has not taken yet; beyond that, sending waits for it.
const MAX_BACKLOG = 2_000;

/** `onHungry` is called when a lane could send more than it holds. */
export function createSender(lanes: Lanes, options: PumpOptions, onHungry: () => void): Sender {
  const { settlement, onError } = options;
  let sending = 0;
  let scheduled = false;
  let stopped = false;

  const hasRoom = (): boolean => !stopped && sending < MAX_SENDING && settlement.backlog() <= MAX_BACKLOG;

  /** One delivery of each lane in turn, so that a full lane leaves room for the others. */
  const sendRound = (): boolean => {
    let progress = false;
    for (const lane of lanes.values()) {
      if (!hasRoom()) return false;
      const delivery = takeNext(lane, performance.now());
      if (delivery === undefined) continue;
      progress = true;
      attempt(lane, delivery).catch(onError);
    }
    return progress;
  };

  const attempt = async (lane: Lane, delivery: ClaimedDelivery): Promise<void> => {
    if (lane.target === undefined) return;
    sending += 1;
    const settled = await makeAttempt(options, lane.target, delivery);
    sending -= 1;
    lane.sending -= 1;
    send();
    await settlement.add(settled);
    lane.unsettled.delete(delivery.id);
    lane.quietSince = performance.now();
  };

  const run = (): void => {
    scheduled = false;
    while (sendRound());
    const now = performance.now();
    if (!stopped && [...lanes.values()].some((lane) => claimSize(lane, now) > 0)) onHungry();
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
