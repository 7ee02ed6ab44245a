/**
 * The walk over the keys of an ordered lane (webhooks rule 20). Of each key the first delivery that has not ended is the one
 * whose turn it is, and the only one that a claim finds: so there is at most one of a key on the wire, whatever this
 * process remembers. One claim looks at so many keys; the next one goes on where it came to.
 */

export type Walk = {
  /** The lowest key that the next claim looks at. */
  fromKey: bigint;
  /** Something may have come for a key that was passed. */
  again: boolean;
  /** Milliseconds of the monotonic clock. */
  restsUntil: number;
};

export const LOWEST_KEY = -(2n ** 63n);
const HIGHEST_KEY = 2n ** 63n - 1n;

// Keys whose turn has not come (a failed delivery waits for its retry) cost a look each time. Where there are more of them
// than one claim looks at, the lane goes over them in its own time: 2,000 a second.
const REST_MS = 100;

export function beginWalk(): Walk {
  return { fromKey: LOWEST_KEY, again: false, restsUntil: 0 };
}

/** Something may have come for any key. */
export function noteNews(walk: Walk): void {
  walk.again = true;
}

/** Whether the walk goes on, or begins once more, after a claim that came as far as `walkedTo`; undefined: to the end. */
export function goOn(walk: Walk, walkedTo: bigint | undefined, found: number, now: number): boolean {
  if (walkedTo !== undefined && walkedTo < HIGHEST_KEY) {
    walk.fromKey = walkedTo + 1n;
    if (found === 0) walk.restsUntil = now + REST_MS;
    return true;
  }
  const { again } = walk;
  Object.assign(walk, { fromKey: LOWEST_KEY, again: false });
  return again;
}
