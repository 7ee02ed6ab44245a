import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/lib/ids.ts';
import { keepPartitions } from '../../../src/platform/database/partitions.ts';
import { createPool } from '../../../src/platform/database/pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';
import { type History, storeHistory } from '../../support/history.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2031-03-20T12:00:00Z');

let database: TestDatabase;
let pool: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.workerUrl, maxConnections: 4, onIdleError: () => undefined });
  // The partitions of months that are over by then go first.
  await keep();
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

const keep = (bodyDays?: number) =>
  keepPartitions({ pool, now: NOW, retention: { days: 90, updateLogDays: 7, bodyDays } });

/** An organization that keeps rows and bodies for so many days. */
async function addOrganization(days: number | null, bodyDays: number | null = null): Promise<string> {
  const id = newId();
  await query(
    database.ownerUrl,
    'INSERT INTO organizations (id, slug, name, retention_days, body_retention_days) VALUES ($1, $4, $4, $2, $3)',
    [id, days, bodyDays, id],
  );
  return id;
}

const store = (of: string, daysAgo: number, made: Partial<History> = {}) =>
  storeHistory(database.ownerUrl, of, { at: new Date(NOW.getTime() - daysAgo * DAY_MS), ...made });

/** How much there is of an organization, and how many bodies. */
async function counts(of: string) {
  const [row] = await query(
    database.ownerUrl,
    `SELECT (SELECT count(*)::int FROM events WHERE organization_id = $1) AS events,
       (SELECT count(body)::int FROM events WHERE organization_id = $1) AS bodies,
       (SELECT count(*)::int FROM deliveries WHERE organization_id = $1) AS deliveries,
       (SELECT count(*)::int FROM delivery_attempts WHERE organization_id = $1) AS attempts,
       (SELECT count(response_body)::int FROM delivery_attempts WHERE organization_id = $1) AS answers`,
    [of],
  );
  return row;
}

const ALL = (count: number) => ({
  events: count,
  bodies: count,
  deliveries: count,
  attempts: 2 * count,
  answers: 2 * count,
});

describe('rows of an organization that keeps them for a shorter time (webhooks rule 40)', () => {
  it('go when they are older, and those of nobody else (rule 40)', async () => {
    const [short, other] = [await addOrganization(30), await addOrganization(null)];
    for (const of of [short, other]) {
      await store(of, 31);
      await store(of, 29);
    }
    await keep();
    expect([await counts(short), await counts(other)]).toEqual([ALL(1), ALL(2)]);
  });

  it.each(['PENDING', 'RETRYING', 'HELD'])(
    'stay with their event while a delivery is %s, and go once it has ended (rule 40)',
    async (status) => {
      const short = await addOrganization(30);
      await store(short, 40, { status, count: 3 });
      await store(short, 35);
      await keep();
      expect(await counts(short)).toEqual(ALL(3));
      await query(
        database.ownerUrl,
        "UPDATE deliveries SET status = 'CANCELLED', due_at = NULL, completed_at = now()",
      );
      await keep();
      expect(await counts(short)).toEqual(ALL(0));
    },
  );

  it('of events stay for a later delivery, such as a replay, that has not ended (rule 40)', async () => {
    const short = await addOrganization(30);
    await store(short, 40);
    await query(
      database.ownerUrl,
      `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status)
       SELECT organization_id, $1, $1, id, type, 'HELD' FROM events`,
      [newId()],
    );
    await keep();
    expect(await counts(short)).toMatchObject({ events: 1, bodies: 1, attempts: 0 });
  });

  it('go in pieces, however many there are and whoever is at it, and never more than are asked for (rule 40)', async () => {
    const short = await addOrganization(30);
    await store(short, 40, { count: 4_500 });
    const nil = '00000000-0000-0000-0000-000000000000';
    const before = new Date(NOW.getTime() - 30 * DAY_MS);
    await pool.query('SELECT optio.delete_old_rows($1, $2, 100, $3, $3)', [short, before, nil]);
    expect(await counts(short)).toEqual(ALL(4_400));
    await Promise.all([keep(), keep(), keep()]);
    await keep();
    expect(await counts(short)).toEqual(ALL(0));
  });

  it('are not kept for longer than the server keeps them, whatever was chosen (rule 40)', async () => {
    const long = await addOrganization(3_650, 3_650);
    await store(long, 60);
    await keep(30);
    expect(await counts(long)).toMatchObject({ events: 1, bodies: 0, answers: 0 });
    await keepPartitions({ pool, now: NOW, retention: { days: 7, updateLogDays: 7 } });
    expect(await counts(long)).toEqual(ALL(0));
  });
});

describe('bodies of an organization that keeps them for a shorter time (webhooks rule 40)', () => {
  it.each([undefined, 60])(
    'go when they are older, the rows stay; the server: %s (rule 40)',
    async (days) => {
      const [short, other] = [await addOrganization(null, 10), await addOrganization(null)];
      for (const of of [short, other]) {
        await store(of, 11);
        await store(of, 9);
      }
      await keep(days);
      expect(await counts(short)).toEqual({ ...ALL(2), bodies: 1, answers: 2 });
      expect(await counts(other)).toEqual(ALL(2));
    },
  );
});
