/** One timer for any number of time limits of one length: what starts first ends first, so only the oldest is watched. */
import { createQueue } from '../../lib/queue.ts';

export type Expirable = {
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** How long it has from the beginning. There are few different lengths. */
  readonly timeoutMs: number;
  readonly expire: () => void;
};

export type Deadlines = {
  /** Watches an entry until the function that it answers is called. Entries are added when their time begins. */
  readonly add: (entry: Expirable) => () => void;
  readonly size: () => number;
  readonly stop: () => void;
};

/** Calls `expire` once for each entry that is still there at its deadline, within a few milliseconds of it. */
export function createDeadlines(): Deadlines {
  const lengths = new Map<number, Deadlines>();
  const ofLength = (timeoutMs: number): Deadlines => {
    const known = lengths.get(timeoutMs) ?? createDeadlinesOfOneLength();
    lengths.set(timeoutMs, known);
    return known;
  };
  return {
    add: (entry) => ofLength(entry.timeoutMs).add(entry),
    size: () => [...lengths.values()].reduce((sum, entries) => sum + entries.size(), 0),
    stop: () => {
      for (const entries of lengths.values()) entries.stop();
    },
  };
}

function createDeadlinesOfOneLength(): Deadlines {
  const entries = createQueue<Expirable>();
  let timer: NodeJS.Timeout | undefined;

  const expireDue = () => {
    timer = undefined;
    const now = performance.now();
    for (let entry = entries.first(); entry !== undefined; entry = entries.first()) {
      if (entry.deadlineMs > now) return watch(entry, now);
      entries.shift();
      entry.expire();
    }
  };
  const watch = (entry: Expirable, now: number) => {
    // Its own sockets keep the process alive as long as there is something to wait for.
    timer = setTimeout(expireDue, Math.ceil(entry.deadlineMs - now)).unref();
  };
  return {
    add: (entry) => {
      const remove = entries.push(entry);
      if (timer === undefined) watch(entry, performance.now());
      return remove;
    },
    size: entries.size,
    stop: () => {
      clearTimeout(timer);
    },
  };
}
