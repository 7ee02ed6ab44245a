/** Lines of the update log as tests write them, and streams as tests read them. */

import { expect } from 'vitest';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { newId } from '../../src/lib/ids.ts';
import type { DeliveryUpdate, StreamItem, UpdateRequest } from '../../src/webhooks/update.ts';
import { startUpdates, type Updates } from '../../src/webhooks/updates.ts';
import type { World } from './world.ts';

export type StreamOfUpdates = AsyncIterator<StreamItem>;

/** The streams of one organization, for one test. */
export type StreamBench = {
  readonly organizationId: string;
  readonly viewer: (changes?: Partial<Viewer>) => Viewer;
  readonly open: (
    request?: UpdateRequest,
    who?: Viewer,
    updates?: Updates,
  ) => AsyncIterableIterator<StreamItem>;
  /** A stream that is live, and the cursor it is live from. */
  readonly live: (
    request?: UpdateRequest,
    who?: Viewer,
    updates?: Updates,
  ) => Promise<{ readonly stream: AsyncIterableIterator<StreamItem>; readonly cursor: string }>;
  /** Appends lines with these numbers, and rings. */
  readonly append: (from: number, to: number) => Promise<void>;
  /** Another process on the same database. */
  readonly otherProcess: (options?: Partial<Parameters<typeof startUpdates>[0]>) => Updates;
  /** Ends all streams and the other processes. */
  readonly close: () => Promise<void>;
};

export async function openStreamBench(world: World): Promise<StreamBench> {
  const organizationId = await world.createOrganization();
  const streams: StreamOfUpdates[] = [];
  const processes: Updates[] = [];
  const viewer = (changes: Partial<Viewer> = {}) => world.context(organizationId, changes).viewer;
  const open: StreamBench['open'] = (request = {}, who = viewer(), updates = world.updates) => {
    const stream = updates.subscribe(who, request);
    streams.push(stream);
    return stream;
  };
  return {
    organizationId,
    viewer,
    open,
    live: async (...request) => {
      const stream = open(...request);
      return { stream, cursor: await untilReady(stream) };
    },
    append: (from, to) => appendLines(world, organizationId, { from, to }),
    otherProcess: (options = {}) => {
      const { workerPool: pool, doorbell, clock } = world;
      const updates = startUpdates({
        pool,
        doorbell,
        clock,
        findValid: async (viewers) => new Set(viewers.filter((one) => !world.revoked.has(one))),
        onError: (error) => expect.fail(error.message),
        ...options,
      });
      processes.push(updates);
      return updates;
    },
    close: async () => {
      for (const stream of streams) await stream.return?.();
      for (const updates of processes) await updates.close();
    },
  };
}

/** Appends lines with these numbers as their versions, in one transaction of its own, and rings. */
export async function appendLines(
  world: World,
  organizationId: string,
  numbers: { readonly from: number; readonly to: number },
): Promise<void> {
  await world.query(...lines(organizationId, numbers));
  world.doorbell.ring('updates');
}

/** The statement that appends them, to be run in a transaction of the test's own. */
export function lines(
  organizationId: string,
  { from, to }: { readonly from: number; readonly to: number },
): [sql: string, values: unknown[]] {
  return [
    `INSERT INTO delivery_updates (organization_id, delivery_id, version, subscription_id, event_type, status, attempt_number)
     SELECT $1, $2, n, $2, 'task.completed', (CASE WHEN n % 2 = 0 THEN 'PENDING' ELSE 'SUCCEEDED' END)::"DeliveryStatus", 0
     FROM generate_series($3::int, $4::int) AS n`,
    [organizationId, newId(), from, to],
  ];
}

/** The numbers of all lines of an organization, in the order of the log. */
export async function loggedNumbers(world: World, organizationId: string): Promise<readonly unknown[]> {
  const rows = await world.query(
    'SELECT version FROM delivery_updates WHERE organization_id = $1 ORDER BY transaction_id, sequence',
    [organizationId],
  );
  return rows.map((row) => row['version']);
}

/** Takes the first item of a stream, which says that it is live, and answers its cursor. */
export async function untilReady(stream: StreamOfUpdates): Promise<string> {
  const { value } = await stream.next();
  if (value?.kind !== 'ready') throw new Error(`Expected the stream to be ready, not ${value?.kind}.`);
  return value.cursor;
}

/** Takes the next `count` updates. */
export async function takeUpdates(
  stream: StreamOfUpdates,
  count: number,
): Promise<readonly DeliveryUpdate[]> {
  const updates: DeliveryUpdate[] = [];
  while (updates.length < count) {
    const { value, done } = await stream.next();
    if (done === true) throw new Error(`The stream ended after ${updates.length} of ${count} updates.`);
    if (value.kind === 'update') updates.push(value.update);
  }
  return updates;
}

/** The same, by the numbers that `appendLines` gave them. */
export async function takeNumbers(stream: StreamOfUpdates, count: number): Promise<readonly number[]> {
  return (await takeUpdates(stream, count)).map(({ version }) => version);
}
