/** Readings that cost something: taken when somebody asks, not more often than every few seconds, within a time limit. */
import type { Clock } from '../../lib/clock.ts';

export type SampledOptions = {
  readonly clock: Clock;
  readonly maxAgeMs: number;
  /** How long somebody who asks waits. */
  readonly timeoutMs: number;
  readonly onError: (error: Error) => void;
};

/** Shares one reading among all who ask within `maxAgeMs`. Undefined when it failed or took too long. */
export function sampled<T>(read: () => Promise<T>, options: SampledOptions): () => Promise<T | undefined> {
  const { clock, maxAgeMs, timeoutMs, onError } = options;
  let latest: { readonly at: number; readonly value: Promise<T | undefined> } | undefined;
  let running: Promise<T | undefined> | undefined;

  const start = (): Promise<T | undefined> => {
    running ??= read()
      .catch((error: unknown) => {
        onError(error instanceof Error ? error : new Error(String(error)));
        return undefined;
      })
      .finally(() => {
        running = undefined;
      });
    return withLimit(running, timeoutMs);
  };
  return () => {
    const now = clock.now().getTime();
    // The absolute age, so that a clock that was set back does not keep an old reading.
    if (latest === undefined || Math.abs(now - latest.at) >= maxAgeMs) latest = { at: now, value: start() };
    return latest.value;
  };
}

async function withLimit<T>(work: Promise<T | undefined>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
