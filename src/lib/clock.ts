/** Time as an argument, so that tests can turn it and nothing has to sleep. */
export type Clock = { readonly now: () => Date };

export const systemClock: Clock = { now: () => new Date() };

/** A clock that stands still until it is turned. */
export type TurnableClock = Clock & { readonly advance: (milliseconds: number) => void };

/** A clock for tests: starts at `start`, moves only by `advance`. */
export function turnableClock(start: Date): TurnableClock {
  let time = start.getTime();
  return {
    now: () => new Date(time),
    advance: (milliseconds) => {
      time += milliseconds;
    },
  };
}
