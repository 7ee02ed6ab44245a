/** One timer for any number of time limits of one length: what starts first ends first, so only the oldest is watched. */

export type Expirable = {
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** How long it has from the beginning. There are few different lengths. */
  readonly timeoutMs: number;
  readonly expire: () => void;
};

export type Deadlines = {
  /** Watches an entry until `remove`. Entries are added when their time begins. */
  readonly add: (entry: Expirable) => void;
  readonly remove: (entry: Expirable) => void;
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
    remove: (entry) => ofLength(entry.timeoutMs).remove(entry),
    size: () => [...lengths.values()].reduce((sum, entries) => sum + entries.size(), 0),
    stop: () => {
      for (const entries of lengths.values()) entries.stop();
    },
  };
}

function createDeadlinesOfOneLength(): Deadlines {
  // A Set keeps the order in which entries came, and forgets one at any place in constant time.
  const entries = new Set<Expirable>();
  let timer: NodeJS.Timeout | undefined;

  const expireDue = () => {
    timer = undefined;
    const now = performance.now();
    for (const entry of entries) {
      if (entry.deadlineMs > now) return watch(entry, now);
      entries.delete(entry);
      entry.expire();
    }
  };
  const watch = (entry: Expirable, now: number) => {
    // Its own sockets keep the process alive as long as there is something to wait for.
    timer = setTimeout(expireDue, Math.ceil(entry.deadlineMs - now)).unref();
  };
  return {
    add: (entry) => {
      entries.add(entry);
      if (timer === undefined) watch(entry, performance.now());
    },
    remove: (entry) => {
      entries.delete(entry);
    },
    size: () => entries.size,
    stop: () => {
      clearTimeout(timer);
    },
  };
}
