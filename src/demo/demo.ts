/** The demo: opened or closed at a start, and, while the server runs, a receiver and a trickle of learning. */
import type { Hono } from 'hono';
import type { Pool } from 'pg';
import type { EmitDependencies } from '../events/emit.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { type Repeating, repeat } from '../lib/repeat.ts';
import type { Tenancy } from '../platform/database/tenancy.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { findCast } from './cast.ts';
import type { Cast } from './classroom.ts';
import { cancelLongHeld } from './held.ts';
import { createReceiver } from './receiver.ts';
import { createReceiverRoutes } from './routes.ts';
import { type SeedOptions, seedDemo } from './seed.ts';
import { moveTargets, selectDemoOrganization, setDemoOpen } from './statements.ts';
import { startTrickle } from './trickle.ts';
import { createVerification } from './verification.ts';

const HOUR_MS = 3_600_000;

/** A demo that is open. */
export type Demo = { readonly organizationId: string; readonly cast: Cast };

/** Seeds the demo where it is missing, opens its accounts, and leads its subscriptions to the receiver. Safe to repeat. */
export async function openDemo(options: SeedOptions & { readonly servesReceiver: boolean }): Promise<Demo> {
  const { pool, clock, receiverUrl } = options;
  const organizationId = (await findDemo(pool)) ?? (await seedDemo(options));
  await pool.query(setDemoOpen(true, clock.now()));
  // Where the receiver is, only the process knows that serves it.
  if (options.servesReceiver) await pool.query(moveTargets(organizationId, receiverUrl, clock.now()));
  return { organizationId, cast: await findCast(pool, organizationId) };
}

async function findDemo(pool: Pool): Promise<string | undefined> {
  const { rows } = await pool.query<{ id: string }>(selectDemoOrganization());
  return rows[0]?.id;
}

export type RunningDemo = {
  readonly routes: Hono<HttpEnv>;
  /** Nothing happens any more; what is slow answers at once. */
  readonly stop: () => Promise<void>;
};

export type RunOptions = EmitDependencies & {
  readonly demo: Demo;
  /** Logs in as a member of the role optio_worker. */
  readonly pool: Pool;
  readonly tenancy: Tenancy;
  readonly keys: MasterKeys;
  /** Whether this process lets things happen. */
  readonly trickles: boolean;
  readonly onError: (error: Error) => void;
};

/** Starts the receiver and the trickle. */
export function runDemo(options: RunOptions): RunningDemo {
  const receiver = createReceiver({ verify: createVerification(options), clock: options.clock });
  const work = options.trickles ? [startTrickle({ ...options, ...options.demo }), tidy(options)] : [];
  return {
    routes: createReceiverRoutes(receiver),
    stop: async () => {
      receiver.close();
      await Promise.all(work.map((repeating) => repeating.stop()));
    },
  };
}

function tidy({ demo, pool, clock, onError }: RunOptions): Repeating {
  return repeat(() => cancelLongHeld(pool, demo.organizationId, clock.now()), {
    intervalMs: HOUR_MS,
    onError,
  });
}
