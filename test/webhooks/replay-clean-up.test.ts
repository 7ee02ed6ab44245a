import type { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { forgetReplays } from '../../src/webhooks/replay-clean-up.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';

const NOW = new Date('2026-11-28T12:00:00Z');
const DAY_MS = 86_400_000;

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.workerUrl, maxConnections: 2, onIdleError: () => undefined });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});
beforeEach(async () => {
  await query(database.ownerUrl, 'DELETE FROM deliveries');
  await query(database.ownerUrl, 'DELETE FROM replays');
});

/** So many replays that ended so many days ago; null: they run. Answers the id of one. */
async function addReplays(endedDaysAgo: number | null, count = 1): Promise<string> {
  const endedAt = endedDaysAgo === null ? null : new Date(NOW.getTime() - endedDaysAgo * DAY_MS);
  const [row] = await query(
    database.ownerUrl,
    `INSERT INTO replays (organization_id, id, state, missing, until, rate_per_second, total, position, next_at, created_at, ended_at)
     SELECT $1, gen_random_uuid(), CASE WHEN $2::timestamptz IS NULL THEN 'RUNNING' ELSE 'COMPLETED' END::"ReplayState",
       false, $3, 1, 1, $1, $3, '2020-01-01', $2 FROM generate_series(1, $4::int) RETURNING id`,
    [newId(), endedAt, NOW, count],
  );
  return String(row?.['id']);
}

const remaining = async () =>
  (await query(database.ownerUrl, 'SELECT id FROM replays')).map(({ id }) => String(id)).toSorted();
const forget = () => forgetReplays(pool, { now: NOW, days: 90 });

describe('replays', () => {
  it('that ended longer ago than deliveries are kept are forgotten, and no others (rule 40)', async () => {
    await addReplays(91);
    const kept = [await addReplays(89), await addReplays(null)];
    expect(await forget()).toBe(1);
    expect(await remaining()).toEqual(kept.toSorted());
  });

  it('are forgotten however many there are (rule 40)', async () => {
    await addReplays(91, 2_500);
    expect(await forget()).toBe(2_500);
    expect(await remaining()).toEqual([]);
  });

  it('stay while one of their deliveries has not ended (rule 40)', async () => {
    const id = await addReplays(200);
    await query(
      database.ownerUrl,
      `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, replay_id)
       VALUES ($1, $1, $1, $1, 'task.completed', 'HELD', $2)`,
      [newId(), id],
    );
    expect(await forget()).toBe(0);
    await query(database.ownerUrl, "UPDATE deliveries SET status = 'CANCELLED', completed_at = now()");
    expect(await forget()).toBe(1);
  });
});
