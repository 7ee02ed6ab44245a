/** Gathers the keys that resolvers ask for at the same time, and loads them together. */

/** Asks for one key; undefined when there is nothing under it. What was asked before is answered from memory. */
export type Batch<V> = (key: string) => Promise<V | undefined>;

/** At most so many keys are loaded at once; the rest follows in a second statement. */
const MAX_KEYS = 1_000;

/** `load` is given distinct keys and answers what it finds. */
export function createBatch<V>(load: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>): Batch<V> {
  const known = new Map<string, Promise<V | undefined>>();
  let waiting: Map<string, PromiseWithResolvers<V | undefined>> | undefined;

  const gather = (): Map<string, PromiseWithResolvers<V | undefined>> => {
    const gathered = new Map<string, PromiseWithResolvers<V | undefined>>();
    afterPendingPromises(() => {
      if (waiting === gathered) waiting = undefined;
      void settle(gathered, load);
    });
    return gathered;
  };

  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    if (waiting === undefined || waiting.size >= MAX_KEYS) waiting = gather();
    const deferred = Promise.withResolvers<V | undefined>();
    waiting.set(key, deferred);
    known.set(key, deferred.promise);
    return deferred.promise;
  };
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

async function settle<V>(
  waiting: ReadonlyMap<string, PromiseWithResolvers<V | undefined>>,
  load: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>,
): Promise<void> {
  try {
    const found = await load([...waiting.keys()]);
    for (const [key, { resolve }] of waiting) resolve(found.get(key));
  } catch (error) {
    for (const { reject } of waiting.values()) reject(error);
  }
}
