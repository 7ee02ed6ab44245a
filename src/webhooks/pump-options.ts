/** What the pump and its parts share. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import type { Doorbell } from '../platform/doorbell.ts';
import type { LaneJobs } from '../platform/jobs.ts';
import type { AttemptDependencies } from './attempt.ts';
import type { Lane } from './lane.ts';
import type { LaneQueue } from './lane-queue.ts';
import type { Settlement } from './settlement.ts';

/** The lanes that this worker has, by subscription. */
export type Lanes = Map<string, Lane>;

export type PumpOptions = AttemptDependencies & {
  readonly pool: Pool;
  /** One connection is enough; it has the CLAIM_SETTINGS. */
  readonly claimPool: Pool;
  readonly jobs: LaneJobs;
  readonly doorbell: Doorbell;
  /** That of this process. */
  readonly laneQueue: Pick<LaneQueue, 'serve'>;
  readonly settlement: Settlement;
  readonly clock: Clock;
  readonly keys: MasterKeys;
  /** The server's retry schedule in seconds. */
  readonly retrySeconds: readonly number[];
  readonly onError: (error: Error) => void;
};
