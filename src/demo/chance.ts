/** Chance that can be repeated: the same seed gives the same demo, so that tests know it and several processes agree. */

export type Chance = {
  /** From 0 up to, but not including, 1. */
  readonly next: () => number;
  /** A whole number, both bounds included. */
  readonly between: (low: number, high: number) => number;
  /** True in this share of the cases. */
  readonly happens: (share: number) => boolean;
  /** One of them, which must not be none. */
  readonly pick: <T>(values: readonly T[]) => T;
};

const STEP = 0x9e3779b9;

/** Draws from a seed (32 bits): splitmix32, which is good enough for a show and nothing else. */
export function createChance(seed: number): Chance {
  let state = seed | 0;
  const next = (): number => {
    state = (state + STEP) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  const pick = <T>(values: readonly T[]): T => {
    const value = values[Math.floor(next() * values.length)];
    if (value === undefined) throw new Error('There is nothing to pick from.');
    return value;
  };
  return {
    next,
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    happens: (share) => next() < share,
    pick,
  };
}
