/** Gathers the keys that resolvers ask for at the same time, and loads them together. */

export type Batch<V> = {
  /** Asks for one key; undefined when there is nothing under it. What is known is answered at once. */
  (key: string): V | undefined | Promise<V | undefined>;
  /** Loads these keys, so that they are known. */
  readonly load: (keys: readonly string[]) => Promise<void>;
};

/** At most so many keys are loaded at once; the rest follows in a second statement. */
const MAX_KEYS = 1_000;

type Waiting<V> = Map<string, PromiseWithResolvers<V | undefined>>;
type Known<V> = Map<string, V | undefined | Promise<V | undefined>>;
type Load<V> = (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;

/** `load` is given distinct keys and answers what it finds. */
export function createBatch<V>(load: Load<V>): Batch<V> {
  const known: Known<V> = new Map();
  let waiting: Waiting<V> | undefined;

  const gather = (): Waiting<V> => {
    const gathered: Waiting<V> = new Map();
    afterPendingPromises(() => {
      if (waiting === gathered) waiting = undefined;
      void settle(gathered, known, load);
    });
    return gathered;
  };
  const ask = (key: string) => {
    if (known.has(key)) return known.get(key);
    if (waiting === undefined || waiting.size >= MAX_KEYS) waiting = gather();
    const deferred = Promise.withResolvers<V | undefined>();
    waiting.set(key, deferred);
    known.set(key, deferred.promise);
    return deferred.promise;
  };
  return Object.assign(ask, {
    load: async (keys: readonly string[]) => {
      const fresh = [...new Set(keys)].filter((key) => !known.has(key));
      for (let from = 0; from < fresh.length; from += MAX_KEYS) {
        const some = fresh.slice(from, from + MAX_KEYS);
        const found = await load(some);
        for (const key of some) known.set(key, found.get(key));
      }
    },
  });
}

/** Batches that differ in their arguments, one for each distinct value of them. */
export function createBatches<A, V>(
  load: (keys: readonly string[], argument: A) => Promise<ReadonlyMap<string, V>>,
): (argument: A) => Batch<V> {
  const batches = new Map<string, Batch<V>>();
  return (argument) => {
    const name = JSON.stringify(argument);
    const batch = batches.get(name) ?? createBatch((keys) => load(keys, argument));
    batches.set(name, batch);
    return batch;
  };
}

/** The resolvers of a list run in the promises that are pending now; when those are done, all keys are there. */
function afterPendingPromises(act: () => void): void {
  void Promise.resolve().then(() => process.nextTick(act));
}

async function settle<V>(waiting: Waiting<V>, known: Known<V>, load: Load<V>): Promise<void> {
  try {
    const found = await load([...waiting.keys()]);
    for (const [key, { resolve }] of waiting) {
      known.set(key, found.get(key));
      resolve(found.get(key));
    }
  } catch (error) {
    for (const { reject } of waiting.values()) reject(error);
  }
}
