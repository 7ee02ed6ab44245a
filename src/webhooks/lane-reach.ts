/**
 * How far a lane has claimed. Claims go on where the last one ended, so that none has to pass over what is on the wire or
 * waits to be settled. What became due before that place afterwards (an emit that was long in its transaction) is found by
 * a claim from the beginning: when the lane has run dry, and once a second (docs/adr/0051).
 */

/** A place in the order in which deliveries are claimed. */
export type Position = {
  readonly dueAt: Date;
  readonly id: string;
};

export type Reach = {
  /** All that was due up to here is claimed, but for what came late; undefined: the next claim is from the beginning. */
  position: Position | undefined;
  /** When to begin again. Milliseconds of the monotonic clock. */
  until: number;
};

const AGAIN_MS = 1_000;

export function beginReach(): Reach {
  return { position: undefined, until: 0 };
}

/** Where the next claim goes on; undefined: at the beginning, leaving out what is in hand. */
export function reachedBy({ position, until }: Reach, now: number): Position | undefined {
  return now < until ? position : undefined;
}

/** Notes where a claim that went on from `after` ended; undefined: nothing more was due. */
export function noteReached(
  reach: Reach,
  after: Position | undefined,
  last: Position | undefined,
  now: number,
): void {
  reach.position = last;
  if (after === undefined) reach.until = now + AGAIN_MS;
}
