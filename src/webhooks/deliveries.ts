/** Sending deliveries: outbound HTTP, pump, mover, settlement and statistics, put together and taken down in order. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJobs } from '../platform/jobs.ts';
import { createOutbound, type OutboundOptions } from '../platform/outbound/http-client.ts';
import type { Trace } from '../platform/tracing/trace.ts';
import type { HealthLimits } from './health.ts';
import type { LaneQueue } from './lane-queue.ts';
import { startMover } from './mover.ts';
import { startPump } from './pump.ts';
import { startReplays } from './replay-job.ts';
import { createSettlement, type ObserveSettled } from './settlement.ts';
import { startStatisticsJob } from './statistics-job.ts';

export type DeliveriesOptions = {
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  /** The same with the CLAIM_SETTINGS; one connection is enough. */
  readonly claimPool: Pool;
  readonly jobs: LaneJobs;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  readonly keys: MasterKeys;
  readonly settings: OutboundOptions & {
    readonly retrySeconds: readonly number[];
    /** When a subscription that keeps failing is disabled. */
    readonly health?: HealthLimits | undefined;
  };
  readonly onError: (error: Error) => void;
  /** That of this process. */
  readonly laneQueue: Pick<LaneQueue, 'wake' | 'serve'>;
  /** From 0 up to, but not including, 1: the jitter of retries. */
  readonly random?: () => number;
  readonly observeSettled?: ObserveSettled;
  readonly trace?: Trace | undefined;
};

export type Deliveries = {
  /** Attempts under way end and are settled; nothing new is sent. */
  readonly stop: () => Promise<void>;
  /** Lanes held, attempts on the wire, and results that are not written yet. */
  readonly load: () => { readonly lanes: number; readonly sending: number; readonly backlog: number };
};

const PAUSE_MS = 250;

/** Begins to send what is due. */
export function startDeliveries(options: DeliveriesOptions): Deliveries {
  const { pool, clock, doorbell, onError, settings } = options;
  const outbound = createOutbound(settings);
  const settlement = createSettlement({
    pool,
    clock,
    doorbell,
    onError,
    pause,
    observe: options.observeSettled,
    limits: settings.health,
    wakeLanes: options.laneQueue.wake,
  });
  const pump = startPump({
    ...options,
    outbound,
    settlement,
    retrySeconds: settings.retrySeconds,
    random: options.random ?? Math.random,
  });
  const mover = startMover(options);
  const statistics = startStatisticsJob(options);
  const replays = startReplays(options);
  return {
    load: () => ({ ...pump.load(), backlog: settlement.backlog() }),
    stop: async () => {
      await Promise.all([mover.stop(), pump.stop(), statistics.stop(), replays.stop()]);
      await settlement.drain();
      await outbound.close();
    },
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
