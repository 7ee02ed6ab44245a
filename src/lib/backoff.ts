/** Arithmetic of waiting before another try. */

/** The largest share of a delay that jitter adds to it. */
export const MAX_JITTER = 0.1;

/**
 * A delay with up to a tenth added, so that what failed together is not tried again together.
 * Never shorter: whoever published a schedule can be held to it.
 * `random` gives numbers from 0 up to, but not including, 1.
 */
export function withJitter(delayMs: number, random: () => number): number {
  return delayMs * (1 + MAX_JITTER * random());
}
