import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createPool } from '../../src/platform/database/pool.ts';
import { decodeCursor, encodeCursor } from '../../src/webhooks/update-cursor.ts';
import { readLog, readLogState } from '../../src/webhooks/update-log.ts';
import {
  lines,
  loggedNumbers,
  openStreamBench,
  type StreamBench,
  takeNumbers,
  takeUpdates,
  untilReady,
} from '../support/update-log.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let bench: StreamBench;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  bench = await openStreamBench(world);
});
afterEach(() => bench.close());

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: world.database.ownerUrl });
  await client.connect();
  return client;
}

describe('the order of commits (webhooks rule 36)', () => {
  it('does not skip an older transaction that commits after a younger one', async () => {
    const { stream } = await bench.live();
    const { tail } = await readLogState(world.workerPool);
    const [older, younger] = await Promise.all([connect(), connect()]);
    await older.query('BEGIN');
    await older.query(...lines(bench.organizationId, { from: 1, to: 2 }));
    await younger.query(...lines(bench.organizationId, { from: 3, to: 4 }));
    world.doorbell.ring('updates');
    // What is committed is not shown yet: the order would change behind whoever read it.
    expect(await readLog(world.workerPool, tail, 10, bench.organizationId)).toEqual([]);

    await older.query(...lines(bench.organizationId, { from: 5, to: 5 }));
    await older.query('COMMIT');
    world.doorbell.ring('updates');
    expect(await takeNumbers(stream, 5)).toEqual([1, 2, 5, 3, 4]);
    await Promise.all([older.end(), younger.end()]);
  });

  it('gives a stream that was opened in between both of them', async () => {
    const older = await connect();
    await older.query('BEGIN');
    await older.query(...lines(bench.organizationId, { from: 1, to: 1 }));
    const { stream, cursor } = await bench.live();
    await bench.append(2, 2);
    await older.query('COMMIT');
    world.doorbell.ring('updates');
    expect(await takeNumbers(stream, 2)).toEqual([1, 2]);
    const again = bench.open({ after: cursor });
    expect(await takeNumbers(again, 2)).toEqual([1, 2]);
    await older.end();
  });

  it('leaves out what was rolled back', async () => {
    const { stream } = await bench.live();
    const client = await connect();
    await client.query('BEGIN');
    await client.query(...lines(bench.organizationId, { from: 1, to: 1 }));
    await client.query('ROLLBACK');
    await bench.append(2, 2);
    expect(await takeNumbers(stream, 1)).toEqual([2]);
    await client.end();
  });

  it('counts lines as numbers, not as text: the tenth comes after the ninth', async () => {
    const { stream } = await bench.live();
    await bench.append(1, 120);
    expect(await takeNumbers(stream, 120)).toEqual(numbers(1, 120));
  });
});

describe('resuming (webhooks rule 37)', () => {
  it('gives 5,000 lines exactly once and in order, over many disconnects, while four connections write', async () => {
    const random = sequence(20_261_123);
    const { stream: first, cursor: start } = await bench.live();
    await first.return?.();
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      const client = await connect();
      for (let batch = 0; batch < 25; batch += 1) {
        const from = writer * 1_250 + batch * 50 + 1;
        await client.query(...lines(bench.organizationId, { from, to: from + 49 }));
        world.doorbell.ring('updates');
      }
      await client.end();
    });

    const seen: number[] = [];
    let cursor = start;
    let connections = 0;
    while (seen.length < 5_000) {
      const stream = world.updates.subscribe(bench.viewer(), { after: cursor });
      connections += 1;
      const share = Math.min(5_000 - seen.length, 1 + Math.floor(random() * 300));
      for (const update of await takeUpdates(stream, share)) {
        seen.push(update.version);
        cursor = update.cursor;
      }
      await stream.return?.();
    }
    await Promise.all(writers);
    expect(connections).toBeGreaterThan(20);
    expect(seen).toEqual(await loggedNumbers(world, bench.organizationId));
    expect(world.updates.subscriberCount()).toBe(0);
  });

  it('starts now without a cursor, even where the reader still has lines from before to read', async () => {
    const { ahead, lagging, whileItLags } = await twoProcesses();
    const { stream: here } = await bench.live({}, bench.viewer(), ahead);
    await bench.live({}, bench.viewer(), lagging);
    const opened: Awaited<ReturnType<typeof bench.live>>[] = [];
    await whileItLags(async () => {
      await bench.append(1, 3);
      await takeNumbers(here, 3);
      opened.push(await bench.live({}, bench.viewer(), lagging));
    });
    await bench.append(4, 4);
    for (const { stream } of opened) expect(await takeNumbers(stream, 1)).toEqual([4]);
    expect(opened).toHaveLength(1);
  });

  it('goes on from the cursor it was ready at, though nothing had come', async () => {
    const { stream, cursor } = await bench.live();
    await stream.return?.();
    await bench.append(1, 3);
    expect(await takeNumbers(bench.open({ after: cursor }), 3)).toEqual([1, 2, 3]);
  });

  it('goes on from the cursor of any line, and its ready names that cursor', async () => {
    const { stream } = await bench.live();
    await bench.append(1, 10);
    const seen = await takeUpdates(stream, 10);
    const middle = seen[4]?.cursor ?? '';
    const again = await bench.live({ after: middle });
    expect(again.cursor).toBe(middle);
    expect(await takeUpdates(again.stream, 5)).toEqual(seen.slice(5));
  });

  it('goes on after a filter: the cursor stands for all lines, the filter for what is told', async () => {
    const { stream } = await bench.live({ filter: { statuses: ['SUCCEEDED'] } });
    await bench.append(1, 6);
    const seen = await takeUpdates(stream, 3);
    expect(seen.map(({ version }) => version)).toEqual([1, 3, 5]);
    const rest = bench.open({ after: seen[0]?.cursor, filter: { statuses: ['PENDING'] } });
    expect(await takeNumbers(rest, 3)).toEqual([2, 4, 6]);
  });

  it('goes on from a cursor of another process that is ahead of this one', async () => {
    const { ahead, lagging, whileItLags } = await twoProcesses();
    const { stream: here } = await bench.live({}, bench.viewer(), ahead);
    const { stream: there } = await bench.live({}, bench.viewer(), lagging);
    let cursor: string | undefined;
    await whileItLags(async () => {
      await bench.append(1, 3);
      cursor = (await takeUpdates(here, 3))[1]?.cursor;
    });
    const moved = await bench.live({ after: cursor }, bench.viewer(), lagging);
    await bench.append(4, 5);
    expect(await takeNumbers(moved.stream, 3)).toEqual([3, 4, 5]);
    expect(await takeNumbers(there, 5)).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a cursor that cannot be gone on from (webhooks rules 36, 37)', () => {
  it('of another database: a gap that says so, then the stream goes on', async () => {
    const { cursor } = await bench.live();
    const { transaction, sequence: line } = decodeCursor(cursor);
    const foreign = encodeCursor('00000000-0000-4000-8000-000000000000', { transaction, sequence: line });
    const stream = bench.open({ after: foreign });
    const { value } = await stream.next();
    expect(value).toMatchObject({ kind: 'gap', reason: 'OTHER_DATABASE' });
    await untilReady(stream);
    await bench.append(1, 1);
    expect(await takeNumbers(stream, 1)).toEqual([1]);
  });

  it('of this database before it was restored elsewhere: a new epoch, and no line of transactions to come', async () => {
    const { cursor } = await bench.live();
    await bench.append(1, 3);
    const before = await readLogState(world.workerPool);
    await world.query(
      `UPDATE delivery_updates SET transaction_id = '1000000000000'
       WHERE organization_id = $1 AND version = 3`,
      [bench.organizationId],
    );
    await world.query("UPDATE installation SET fingerprint = 'another cluster'");
    const after = await readLogState(world.workerPool);
    expect(after.epoch).not.toBe(before.epoch);
    expect((await readLogState(world.workerPool)).epoch).toBe(after.epoch);
    expect(await loggedNumbers(world, bench.organizationId)).toEqual([1, 2]);
    const { value } = await bench.open({ after: cursor }).next();
    expect(value).toMatchObject({ kind: 'gap', reason: 'OTHER_DATABASE' });
  });

  it('older than what is kept: a gap that says where to go on, and from there nothing is missed', async () => {
    const { cursor, stream: live } = await bench.live();
    await bench.append(1, 2);
    expect(await takeNumbers(live, 2)).toEqual([1, 2]); // So they lie before the tail.
    const { epoch, tail } = await readLogState(world.workerPool);
    await world.query('UPDATE installation SET log_starts_at = $1::xid8', [String(tail.transaction)]);
    const stream = bench.open({ after: cursor });
    const { value } = await stream.next();
    if (value?.kind !== 'gap') throw new Error(`Expected a gap, not ${value?.kind}.`);
    expect(value.reason).toBe('EXPIRED');
    await bench.append(3, 4);
    expect(await takeNumbers(stream, 2)).toEqual([3, 4]);
    expect(await takeNumbers(bench.open({ after: value.resumeFrom }), 2)).toEqual([3, 4]);
    expect(await takeNumbers(bench.open({ after: encodeCursor(epoch, tail) }), 2)).toEqual([3, 4]);
    await world.query("UPDATE installation SET log_starts_at = '0'");
  });

  it('that is none: refused, and nothing stays open', async () => {
    expect(() => bench.open({ after: 'nonsense' })).toThrow(
      expect.objectContaining({ code: 'VALIDATION', faults: [expect.objectContaining({ path: ['after'] })] }),
    );
    expect(world.updates.subscriberCount()).toBe(0);
  });
});

describe('a slow consumer (webhooks rule 38)', () => {
  it('that takes nothing for 9,000 lines loses none and gets none twice', async () => {
    const { stream: slow } = await bench.live();
    const { stream: quick } = await bench.live();
    for (const from of [1, 3_001, 6_001]) await bench.append(from, from + 2_999);
    // The quick one shows that the reader has handed out all of them.
    expect(await takeNumbers(quick, 9_000)).toEqual(numbers(1, 9_000));
    expect(await takeNumbers(slow, 1_500)).toEqual(numbers(1, 1_500));
    await bench.append(9_001, 9_010);
    expect(await takeNumbers(slow, 7_510)).toEqual(numbers(1_501, 9_010));
    await bench.append(9_011, 9_011);
    expect(await takeNumbers(slow, 1)).toEqual([9_011]);
  });

  it('does not hold up another one', async () => {
    const [{ stream: slow }, { stream: quick }] = [await bench.live(), await bench.live()];
    await bench.append(1, 2);
    expect(await takeNumbers(quick, 2)).toEqual([1, 2]);
    expect(await takeNumbers(slow, 2)).toEqual([1, 2]);
  });
});

it('gives every line to each of two processes (webhooks rule 38)', async () => {
  const other = bench.otherProcess();
  const [here, there] = await Promise.all([bench.live(), bench.live({}, bench.viewer(), other)]);
  await bench.append(1, 700);
  expect(await takeNumbers(here.stream, 700)).toEqual(numbers(1, 700));
  expect(await takeNumbers(there.stream, 700)).toEqual(numbers(1, 700));
  await other.close();
});

/** Two processes; what is done within `whileItLags` is done while the reader of the lagging one cannot follow. */
async function twoProcesses() {
  const errors: Error[] = [];
  const pool = createPool({
    url: world.database.ownerUrl,
    maxConnections: 3,
    onIdleError: (error) => expect.fail(error.message),
  });
  onTestFinished(async () => {
    await bench.close();
    await pool.end();
    for (const { message } of errors) expect(message).toContain('permission denied');
  });
  return {
    ahead: bench.otherProcess({ pool }),
    lagging: bench.otherProcess({ onError: (error) => void errors.push(error) }),
    whileItLags: async (work: () => Promise<void>) => {
      await world.query('REVOKE SELECT ON delivery_updates FROM optio_worker');
      await work();
      await world.query('GRANT SELECT ON delivery_updates TO optio_worker');
    },
  };
}

/** A sequence of numbers from 0 up to 1 that looks like chance and is the same every time (mulberry32). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
