/** Work that repeats: one run after the other, never two at once, until it is stopped. */

export type Repeating = {
  /** Runs the work soon: at once if it rests, once more after the present run if it runs. */
  readonly hurry: () => void;
  /** No further run begins; resolves when the present one has ended. */
  readonly stop: () => Promise<void>;
};

/**
 * Runs `work` every `intervalMs` (from the end of a run to the start of the next) and whenever it is hurried.
 * A run that throws is reported, and the next one comes all the same.
 */
export function repeat(
  work: () => Promise<void>,
  options: { readonly intervalMs: number; readonly onError: (error: Error) => void },
): Repeating {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  const run = async (): Promise<void> => {
    do {
      again = false;
      await work().catch((error: unknown) =>
        options.onError(error instanceof Error ? error : new Error(String(error))),
      );
    } while (again);
    running = undefined;
    if (!stopped) timer = setTimeout(start, options.intervalMs);
  };
  const start = (): void => {
    clearTimeout(timer);
    running = run();
  };
  start();
  return {
    hurry: () => {
      if (stopped) return;
      if (running === undefined) start();
      else again = true;
    },
    stop: async () => {
      stopped = true;
      again = false;
      clearTimeout(timer);
      await running;
    },
  };
}
