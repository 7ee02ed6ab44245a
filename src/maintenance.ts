/** What every process does once an hour, whatever its role: partitions come and go, what has expired leaves. */
import type { Pool } from 'pg';
import { cleanUpPeople } from './accounts/people-clean-up.ts';
import { cleanUpSessions } from './accounts/session.ts';
import type { Config } from './config.ts';
import { forgetExpiredKeys } from './events/idempotency-keys.ts';
import type { Clock } from './lib/clock.ts';
import type { MasterKeys } from './lib/crypto.ts';
import { type Repeating, repeat } from './lib/repeat.ts';
import { cleanUp as cleanUpOAuth } from './oauth/clean-up.ts';
import { keepSigningKeys } from './oauth/key-rotation.ts';
import { keepPartitions } from './platform/database/partitions.ts';
import { forgetReplays } from './webhooks/replay-clean-up.ts';

export type MaintenanceOptions = {
  readonly config: Pick<Config, 'retention' | 'signingAlgorithm'>;
  readonly keys: MasterKeys;
  readonly workerPool: Pool;
  readonly authPool: Pool;
  /** Tokens and sessions go by the clock of this machine. */
  readonly clock: Clock;
  /** History goes by the clock of the database. */
  readonly sharedClock: Clock;
  readonly onError: (error: Error) => void;
};

const INTERVAL_MS = 3_600_000;

/** Begins with it at once. */
export function startMaintenance(options: MaintenanceOptions): Pick<Repeating, 'stop'> {
  return repeat(() => maintain(options), { intervalMs: INTERVAL_MS, onError: options.onError });
}

async function maintain(options: MaintenanceOptions): Promise<void> {
  const { config, keys, workerPool, authPool, clock, sharedClock } = options;
  const { retention, signingAlgorithm } = config;
  const people = { pool: authPool, clock };
  await keepPartitions({ pool: workerPool, now: sharedClock.now(), retention });
  await forgetExpiredKeys(workerPool, sharedClock.now());
  await forgetReplays(workerPool, { now: sharedClock.now(), days: retention.days });
  await keepSigningKeys({ ...people, masterKeys: keys, signingAlgorithm });
  await cleanUpOAuth(people);
  await cleanUpSessions(people);
  await cleanUpPeople(people);
}
