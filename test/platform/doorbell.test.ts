import { Client, type Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createPool } from '../../src/platform/database/pool.ts';
import { BELLS, type Bell, type Doorbell, openDoorbell } from '../../src/platform/doorbell.ts';
import { openCutOff } from '../support/cut-off.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

let database: TestDatabase;
let pool: Pool;
let errors: Error[];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.workerUrl, maxConnections: 2, onIdleError: () => undefined });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(() => {
  errors = [];
});

/** A process's doorbell that listens: it hears every bell once when it begins to. */
async function open(url = database.urls.workerUrl): Promise<Doorbell & { readonly heard: Bell[] }> {
  const doorbell = openDoorbell({ pool, url, onError: (error) => void errors.push(error) });
  onTestFinished(() => doorbell.close());
  const heard: Bell[] = [];
  for (const bell of BELLS) doorbell.listen(bell, () => void heard.push(bell));
  await eventually(() => expect(heard).toEqual(BELLS), 5);
  heard.length = 0;
  return Object.assign(doorbell, { heard });
}

/** The processes that listen, as the database sees them. */
async function listeners(): Promise<readonly unknown[]> {
  const rows = await query(
    database.ownerUrl,
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'",
  );
  return rows.map((row) => row['pid']);
}

/** Everything that is sent over the channel from now on. */
async function overhear(): Promise<{
  readonly payloads: (string | undefined)[];
  readonly end: () => Promise<void>;
}> {
  const client = new Client({ connectionString: database.ownerUrl });
  const payloads: (string | undefined)[] = [];
  // Without who rang.
  client.on('notification', ({ payload }) => void payloads.push(payload?.split('.')[0]));
  await client.connect();
  await client.query('LISTEN optio');
  return { payloads, end: () => client.end() };
}

describe('the doorbell (webhooks rule 38)', () => {
  it('rings here at once, and in another process', async () => {
    const [here, there] = [await open(), await open()];
    here.ring('lanes');
    expect(here.heard).toEqual(['lanes']);
    await eventually(() => expect(there.heard).toEqual(['lanes']), 5);
    there.ring('updates');
    await eventually(() => expect(here.heard.at(-1)).toBe('updates'), 5);
  });

  it('is heard once by who rings, although it listens to what is sent', async () => {
    const [here, there] = [await open(), await open()];
    here.ring('lanes');
    await eventually(() => expect(there.heard).toEqual(['lanes']), 5);
    // What is sent later comes later: the ring that came back is there by then.
    there.ring('updates');
    await eventually(() => expect(here.heard).toContain('updates'), 5);
    expect(here.heard).toEqual(['lanes', 'updates']);
  });

  it('rings elsewhere alone, when asked to', async () => {
    const [here, there] = [await open(), await open()];
    here.ringElsewhere('queue');
    await eventually(() => expect(there.heard).toEqual(['queue']), 5);
    there.ring('updates');
    await eventually(() => expect(here.heard).toContain('updates'), 5);
    expect(here.heard).toEqual(['updates']);
  });

  it('sends 1,000 rings as a few: the first at once, the others together', async () => {
    const doorbell = await open();
    const ear = await overhear();
    for (let ring = 0; ring < 1_000; ring += 1) doorbell.ring('lanes');
    expect(doorbell.heard).toHaveLength(1_000);
    await eventually(() => expect(ear.payloads).toHaveLength(2), 2);
    // A mark that is sent later comes later: all that the rings sent is there by then.
    doorbell.ring('updates');
    await eventually(() => expect(ear.payloads).toContain('updates'), 2);
    expect(ear.payloads.filter((payload) => payload === 'lanes')).toHaveLength(2);
    await ear.end();
  });

  it('sends at most 50 a second, and the last of them surely', async () => {
    const doorbell = await open();
    const ear = await overhear();
    const begun = performance.now();
    for (let turn = 0; turn < 200; turn += 1) {
      doorbell.ring('updates');
      await new Promise((resolve) => setImmediate(resolve));
      await pool.query('SELECT');
    }
    const last = performance.now() - begun;
    doorbell.ring('lanes');
    await eventually(() => expect(ear.payloads).toContain('lanes'), 2);
    expect(ear.payloads.length).toBeLessThanOrEqual(last / 20 + 3);
    expect(ear.payloads.length).toBeGreaterThan(2);
    await ear.end();
  });

  it('does not take what others send over the channel for its own', async () => {
    const doorbell = await open();
    await query(
      database.ownerUrl,
      "SELECT pg_notify('optio', 'nonsense'), pg_notify('optio', ''), pg_notify('optio', 'lanes')",
    );
    await eventually(() => expect(doorbell.heard).not.toEqual([]), 5);
    expect(doorbell.heard).toEqual(['lanes']);
  });

  it('is heard no longer by who stopped listening', async () => {
    const doorbell = await open();
    const rings: string[] = [];
    const stop = doorbell.listen('lanes', () => void rings.push('ring'));
    doorbell.ring('lanes');
    stop();
    doorbell.ring('lanes');
    expect(rings).toEqual(['ring']);
  });

  it('listens again when its connection is cut, and looks at everything then: rings may have been missed', async () => {
    const [here, there] = [await open(), await open()];
    await query(database.ownerUrl, 'SELECT pg_terminate_backend(p) FROM unnest($1::int[]) AS p', [
      await listeners(),
    ]);
    for (const { heard } of [here, there]) {
      await eventually(() => expect(heard).toEqual(BELLS), 5);
      heard.length = 0;
    }
    here.ring('lanes');
    await eventually(() => expect(there.heard).toEqual(['lanes']), 5);
    expect(await listeners()).toHaveLength(2);
    expect(errors).not.toEqual([]);
  });

  it('notices that nobody speaks any more on a connection that was not closed, and listens on another', async () => {
    const cutOff = await openCutOff(database.urls.workerUrl);
    onTestFinished(() => cutOff.cut());
    const heard: Bell[] = [];
    const doorbell = openDoorbell({
      pool,
      url: cutOff.url,
      queryTimeoutMs: 500,
      checkEveryMs: 20,
      onError: (error) => void errors.push(error),
    });
    onTestFinished(() => doorbell.close());
    doorbell.listen('lanes', () => void heard.push('lanes'));
    await eventually(() => expect(heard).not.toEqual([]), 5);
    cutOff.freeze();
    await eventually(() => expect(errors).not.toEqual([]));
    const before = heard.length;
    cutOff.thaw();
    await eventually(() => expect(heard.length).toBeGreaterThan(before));
  });

  it('never throws though nothing can be sent: the error is reported', async () => {
    const gone = createPool({
      url: database.urls.workerUrl,
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    await gone.end();
    const doorbell = openDoorbell({
      pool: gone,
      url: database.urls.workerUrl,
      onError: (error) => void errors.push(error),
    });
    onTestFinished(() => doorbell.close());
    expect(() => doorbell.ring('lanes')).not.toThrow();
    await eventually(() => expect(errors).toHaveLength(1), 5);
  });

  it('leaves no connection when it is closed, nor while it is still being made', async () => {
    const doorbell = await open();
    const hurried = openDoorbell({
      pool,
      url: database.urls.workerUrl,
      onError: (error) => void errors.push(error),
    });
    await Promise.all([doorbell.close(), hurried.close()]);
    await eventually(async () => expect(await listeners()).toEqual([]), 10);
  });
});
