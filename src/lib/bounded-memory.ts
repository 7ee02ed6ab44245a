/** A memory of at most so many values: the one set longest ago makes room. What is in it may be out of date. */

export type BoundedMemory<V> = {
  readonly get: (key: string) => V | undefined;
  readonly set: (key: string, value: V) => void;
  readonly delete: (key: string) => void;
};

/** An empty memory for up to `maxEntries` values. */
export function createBoundedMemory<V>(maxEntries: number): BoundedMemory<V> {
  const values = new Map<string, V>();
  return {
    get: (key) => values.get(key),
    set: (key, value) => {
      // A Map iterates in the order of insertion, so its first key is the one set longest ago.
      values.delete(key);
      values.set(key, value);
      const [oldest] = values.keys();
      if (values.size > maxEntries && oldest !== undefined) values.delete(oldest);
    },
    delete: (key) => void values.delete(key),
  };
}
