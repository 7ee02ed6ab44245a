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
let organizationId: string;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.workerUrl, maxConnections: 4, onIdleError: () => undefined });
  organizationId = await addOrganization();
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

async function addOrganization(): Promise<string> {
  const id = newId();
  await query(database.ownerUrl, 'INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)', [id, id]);
  return id;
}

const keep = (now = NOW, bodyDays: number | undefined = 30) =>
  keepPartitions({ pool, now, retention: { days: 90, updateLogDays: 7, bodyDays } });

const store = (daysAgo: number, { of = organizationId, ...made }: Partial<History> & { of?: string } = {}) =>
  storeHistory(database.ownerUrl, of, { at: new Date(NOW.getTime() - daysAgo * DAY_MS), ...made });

/** How many events and attempts there are, and how many still have their bodies. */
async function counts() {
  const [row] = await query(
    database.ownerUrl,
    `SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(body)::int FROM events) AS bodies,
       (SELECT count(*)::int FROM delivery_attempts) AS attempts, (SELECT count(response_body)::int FROM delivery_attempts) AS answers`,
  );
  return row;
}

describe('bodies that are past their retention (webhooks rule 40)', () => {
  it('are taken out of events and attempts, the rows stay (rule 40)', async () => {
    await store(31);
    await store(29);
    await keep();
    expect(await counts()).toEqual({ events: 2, bodies: 1, attempts: 4, answers: 2 });
    await keep(new Date(NOW.getTime() + 2 * DAY_MS));
    expect(await counts()).toEqual({ events: 2, bodies: 0, attempts: 4, answers: 0 });
  });

  it('stay as long as the rows where nothing else is set (rule 40)', async () => {
    await store(60);
    await keepPartitions({ pool, now: NOW, retention: { days: 90, updateLogDays: 7 } });
    expect(await counts()).toMatchObject({ bodies: 1, answers: 2 });
  });

  it('stay while a delivery that has not ended needs them (rule 40)', async () => {
    await store(40, { status: 'HELD' });
    await store(35);
    await keep();
    expect(await counts()).toMatchObject({ events: 2, bodies: 1 });
  });

  it('of every organization, however many there are, and each once (rule 40)', async () => {
    const other = await addOrganization();
    // The partitions of months that are over by then go first.
    await keepPartitions({ pool, now: NOW, retention: { days: 90, updateLogDays: 7 } });
    await store(40, { count: 4_500 });
    await store(40, { count: 3, of: other });
    await Promise.all([keep(), keep(), keep()]);
    await keep();
    expect(await counts()).toEqual({ events: 4_503, bodies: 0, attempts: 9_006, answers: 0 });
    // What was looked at is not looked at again.
    const [row] = await query(database.ownerUrl, 'SELECT optio.strip_bodies($1, 100) AS looked', [
      new Date(NOW.getTime() - 30 * DAY_MS),
    ]);
    expect(row).toEqual({ looked: 0 });
  });
});
