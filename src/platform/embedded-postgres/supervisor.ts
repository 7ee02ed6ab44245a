/** Keeps an embedded PostgreSQL running until it is told to stop. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from './log.ts';
import { end, FAST_SHUTDOWN, type Postmaster } from './postmaster.ts';

const MAX_RESTARTS = 10;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 10_000;
/** One that served this long counts as well again. */
const STEADY_MS = 60_000;

export type Supervision = { readonly stop: () => Promise<void> };

export type SupervisorOptions = {
  readonly postmaster: Postmaster;
  /** Starts PostgreSQL anew, on the port that `postmaster` had. */
  readonly relaunch: () => Promise<Postmaster>;
  readonly log: Log;
};

/**
 * Starts PostgreSQL again when it ends by itself, with growing pauses and at most ten times in a row.
 * `stop` ends it cleanly, resolves when it is gone, and may be called more than once.
 */
export function supervise({ postmaster, relaunch, log }: SupervisorOptions): Supervision {
  const stopping = new AbortController();
  const state = { current: postmaster };
  const watching = watch();

  async function watch(): Promise<void> {
    let restarts = 0;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      const how = await state.current.exited;
      if (stopping.signal.aborted) {
        return;
      }
      restarts = performance.now() - startedAt > STEADY_MS ? 0 : restarts;
      log.error({ pid: state.current.pid, how }, 'PostgreSQL ended by itself; starting it again');
      const next = await relaunchWithPauses(restarts);
      if (next === undefined) {
        return;
      }
      restarts = next.restarts;
      state.current = next.postmaster;
    }
  }

  async function relaunchWithPauses(
    before: number,
  ): Promise<{ postmaster: Postmaster; restarts: number } | undefined> {
    for (let restarts = before + 1; restarts <= MAX_RESTARTS; restarts++) {
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (restarts - 1), MAX_PAUSE_MS);
      await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) {
        return undefined;
      }
      try {
        const started = await relaunch();
        log.warn({ pid: started.pid, restarts }, 'PostgreSQL runs again');
        return { postmaster: started, restarts };
      } catch (error) {
        log.error({ err: error, restarts }, 'PostgreSQL did not start again');
      }
    }
    log.error({ restarts: MAX_RESTARTS }, 'PostgreSQL does not stay up; giving up: restart the server');
    return undefined;
  }

  async function stop(): Promise<void> {
    stopping.abort();
    // Nothing else may keep this process alive until PostgreSQL is gone.
    const keepAlive = setInterval(() => undefined, MAX_PAUSE_MS);
    try {
      await end(state.current.pid, FAST_SHUTDOWN);
      await watching;
      // One that was being started again when we were told to stop.
      await end(state.current.pid, FAST_SHUTDOWN);
    } finally {
      clearInterval(keepAlive);
    }
  }

  return { stop };
}
