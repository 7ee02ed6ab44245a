import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { startDatabaseClock } from '../../../src/platform/database/database-clock.ts';
import { createPool } from '../../../src/platform/database/pool.ts';
import { openCutOff } from '../../support/cut-off.ts';
import { createEmptyDatabase, query } from '../../support/database.ts';

const HOUR_MS = 3_600_000;
// More than any machine takes between two readings of the same clock, and far less than the clocks here jump.
const SOON_MS = 600_000;

let database: Awaited<ReturnType<typeof createEmptyDatabase>>;

beforeAll(async () => {
  database = await createEmptyDatabase();
  // A database whose clock can be turned: its own function is found before the built-in one.
  await query(database.ownerUrl, 'CREATE SCHEMA turned');
  await query(database.ownerUrl, 'CREATE TABLE turned.by (hours int); INSERT INTO turned.by VALUES (0)');
  await query(
    database.ownerUrl,
    `CREATE FUNCTION turned.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
     'SELECT pg_catalog.clock_timestamp() + make_interval(hours => (SELECT hours FROM turned.by))'`,
  );
});
afterAll(() => database.drop());
afterEach(() => void vi.useRealTimers());

async function open(intervalMs: number, databaseUrl = database.ownerUrl) {
  const url = new URL(databaseUrl);
  url.searchParams.set('options', '-c search_path=turned,pg_catalog');
  const errors: Error[] = [];
  const onError = (error: Error): void => void errors.push(error);
  const pool = createPool({ url: url.href, maxConnections: 1, onIdleError: onError });
  const clock = await startDatabaseClock({ pool, onError, intervalMs });
  return { pool, clock, errors };
}

const hoursFrom = (time: number, now: Date): number => (now.getTime() - time) / HOUR_MS;

describe('the clock that processes share (webhooks rule 17)', () => {
  it.each([-48, -1, 1, 48])('does not care for a wall clock that jumps by %i hours', async (hours) => {
    const { pool, clock } = await open(60_000);
    const realTime = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: realTime + hours * HOUR_MS });
    expect(hoursFrom(realTime, new Date())).toBeCloseTo(hours);
    expect(Math.abs(clock.now().getTime() - realTime)).toBeLessThan(SOON_MS);
    await clock.stop();
    await pool.end();
  });

  it('follows the clock of the database, as after a failover to a machine with another one', async () => {
    const { pool, clock } = await open(10);
    const realTime = Date.now();
    await query(database.ownerUrl, 'UPDATE turned.by SET hours = 5');
    await expect.poll(() => Math.round(hoursFrom(realTime, clock.now()))).toBe(5);
    await query(database.ownerUrl, 'UPDATE turned.by SET hours = 0');
    await expect.poll(() => Math.round(hoursFrom(realTime, clock.now()))).toBe(0);
    await clock.stop();
    await pool.end();
  });

  it('goes on while the database does not answer, and says so', async () => {
    const cutOff = await openCutOff(database.ownerUrl);
    const { pool, clock, errors } = await open(10, cutOff.url);
    await cutOff.cut();
    await expect.poll(() => errors.length).toBeGreaterThan(1);
    expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(SOON_MS);
    await clock.stop();
    await pool.end();
  });
});
