/** A bound on work that is expensive: so much of it at once, so much waiting, and no more. */
import { AppError } from './errors.ts';

export type GateOptions = { readonly maxRunning: number; readonly maxWaiting: number };

/** Runs work once there is room for it. Errors: `UNAVAILABLE` when too much is waiting already. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** A gate that is open. Whoever waits longest goes first. */
export function createGate({ maxRunning, maxWaiting }: GateOptions): Gate {
  let running = 0;
  const waiting: (() => void)[] = [];
  const enter = async (): Promise<void> => {
    if (running < maxRunning) {
      running += 1;
      return;
    }
    if (waiting.length >= maxWaiting) {
      throw new AppError('UNAVAILABLE', 'The server is busy; try again shortly.', { retryAfterSeconds: 2 });
    }
    // Its place is handed over by the one that leaves, so `running` stays as it is.
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };
  return async (work) => {
    await enter();
    try {
      return await work();
    } finally {
      leave();
    }
  };
}
