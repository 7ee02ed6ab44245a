/** Settlement: gathers the results of attempts and writes them in batches, one transaction each, one after the other. */
import type { Pool } from 'pg';
import type { WakeLanes } from '../events/emit.ts';
import type { Clock } from '../lib/clock.ts';
import { inTransaction } from '../platform/database/pool.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { Settled } from './attempt.ts';
import type { HealthLimits } from './health.ts';
import { settleBatch } from './settlement-sql.ts';

export type Settlement = {
  /** Takes a result; resolves once it is written (or, if the lane was lost, found to be somebody else's). */
  readonly add: (settled: Settled) => Promise<void>;
  /** Resolves when all that was added is written. */
  readonly drain: () => Promise<void>;
  /** How many results wait to be written. */
  readonly backlog: () => number;
};

export type SettlementOptions = {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onError: (error: Error) => void;
  /** Waits before a batch that failed is tried again. */
  readonly pause: () => Promise<void>;
  /** Told of the attempts that were recorded. */
  readonly observe?: ObserveSettled | undefined;
  /** When a subscription that keeps failing is disabled. */
  readonly limits?: HealthLimits | undefined;
  /** Wakes those that are told of it; without, the scan does. */
  readonly wakeLanes?: WakeLanes | undefined;
};

export type ObserveSettled = (settled: readonly Settled[]) => void;

const MAX_BATCH = 500;

type Entry = { readonly settled: Settled; readonly done: () => void };

/**
 * While one batch is written, the next one gathers: batches are small on an idle system and grow with the load.
 * A batch that the database does not take is tried again until it does; nothing that was sent is forgotten.
 */
export function createSettlement(options: SettlementOptions): Settlement {
  const { pool, clock, doorbell, onError, pause, observe, limits, wakeLanes } = options;
  const waiting: Entry[] = [];
  let running: Promise<void> | undefined;

  const write = async (batch: readonly Settled[]): Promise<void> => {
    for (;;) {
      try {
        const calls: (() => void)[] = [];
        const settling = { limits, wakeLanes, afterCommit: (call: () => void) => void calls.push(call) };
        const ids = await inTransaction(pool, (client) => settleBatch(client, batch, clock.now(), settling));
        for (const call of calls) call();
        doorbell.ring('updates');
        observe?.(recorded(batch, ids));
        return;
      } catch (error) {
        onError(error instanceof Error ? error : new Error(String(error)));
        await pause();
        if (isLasting(error)) return writeApart(batch);
      }
    }
  };

  /** One result that the database will never take must not hold back the others; its delivery is sent again. */
  const writeApart = async (batch: readonly Settled[]): Promise<void> => {
    if (batch.length > 1) for (const settled of batch) await write([settled]);
  };

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MAX_BATCH);
      await write(batch.map((entry) => entry.settled));
      for (const entry of batch) entry.done();
    }
    running = undefined;
  };
  return {
    add: (settled) =>
      new Promise((done) => {
        waiting.push({ settled, done });
        running ??= Promise.resolve().then(run);
      }),
    drain: () => running ?? Promise.resolve(),
    backlog: () => waiting.length,
  };
}

/** Without what came late, from a worker that had lost its lane. */
function recorded(batch: readonly Settled[], ids: readonly string[]): readonly Settled[] {
  if (ids.length === batch.length) return batch;
  const known = new Set(ids);
  return batch.filter(({ delivery }) => known.has(delivery.id));
}

/** Whether the data themselves are refused (classes 22 and 23), which no second try can change. */
function isLasting(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return /^2[23]...$/.test(code);
}
