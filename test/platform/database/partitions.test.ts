import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetExpiredKeys } from '../../../src/events/idempotency-keys.ts';
import { lowestUuidAt, newId } from '../../../src/lib/ids.ts';
import { keepPartitions } from '../../../src/platform/database/partitions.ts';
import { createPool } from '../../../src/platform/database/pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';

const RETENTION = { days: 90, updateLogDays: 7 };
const DAY_MS = 86_400_000;

let database: TestDatabase;
let pool: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.workerUrl, maxConnections: 2, onIdleError: () => undefined });
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

const keep = (now: Date, retention = RETENTION) => keepPartitions({ pool, now, retention });
const at = (text: string) => new Date(`${text}T12:00:00Z`);

async function partitionsOf(table: string): Promise<readonly string[]> {
  const rows = await query(
    database.ownerUrl,
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass AND inhrelid::regclass::text NOT LIKE '%_default' ORDER BY 1",
    [table],
  );
  return rows.map((row) => String(row['name']));
}

type Delivery = { readonly at: Date; readonly status: string; readonly eventAt?: Date };

/** Stores a delivery as if its id had been made then. */
async function store({ at: time, status, eventAt = time }: Delivery): Promise<void> {
  const ended = ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(status);
  await query(
    database.ownerUrl,
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, due_at, completed_at)
     VALUES ($1, $2, $3, $4, 'task.completed', $5, $6, $7)`,
    [
      newId(),
      lowestUuidAt(time),
      newId(),
      lowestUuidAt(eventAt),
      status,
      ['PENDING', 'RETRYING'].includes(status) ? time : null,
      ended ? time : null,
    ],
  );
}

describe('partitions of what grows (webhooks rule 40)', () => {
  it('are made ahead for the months and days to come', async () => {
    await keep(at('2031-03-10'));
    expect(await partitionsOf('deliveries')).toEqual(
      expect.arrayContaining(['deliveries_203103', 'deliveries_203104', 'deliveries_203105']),
    );
    expect(await partitionsOf('delivery_updates')).toEqual(
      expect.arrayContaining(['delivery_updates_20310310', 'delivery_updates_20310317']),
    );
  });

  it('are dropped when all of their time is over, and not a day before', async () => {
    await keep(at('2031-01-10'));
    const dropped = await keep(at('2031-05-02'));
    expect(dropped).toEqual(
      expect.arrayContaining(['deliveries_203101', 'events_203101', 'delivery_attempts_203101']),
    );
    expect(dropped.filter((name) => name.startsWith('deliveries'))).not.toContain('deliveries_203102');
    expect(await keep(at('2031-05-29'))).not.toContain('deliveries_203102');
    expect(await keep(at('2031-05-30'))).toEqual(
      expect.arrayContaining(['deliveries_203102', 'events_203102', 'delivery_attempts_203102']),
    );
  });

  it.each(['PENDING', 'RETRYING', 'HELD'])(
    'stay while a delivery in them is %s, with its event',
    async (status) => {
      await keep(at('2031-01-10'));
      await store({ at: at('2031-01-15'), status });
      await store({ at: at('2031-02-15'), status: 'SUCCEEDED' });
      await keep(at('2031-08-10'));
      for (const table of ['deliveries', 'events', 'delivery_attempts']) {
        expect(await partitionsOf(table)).toContain(`${table}_203101`);
        expect(await partitionsOf(table)).not.toContain(`${table}_203102`);
      }
      await query(
        database.ownerUrl,
        "UPDATE deliveries SET status = 'CANCELLED', due_at = NULL, completed_at = now()",
      );
      expect(await keep(at('2031-08-10'))).toEqual([
        'deliveries_203101',
        'delivery_attempts_203101',
        'events_203101',
      ]);
    },
  );

  it('of events stay for a later delivery, such as a replay, that has not ended', async () => {
    await keep(at('2031-01-10'));
    await store({ at: at('2031-03-15'), status: 'HELD', eventAt: at('2031-01-15') });
    await keep(at('2031-05-10'));
    expect(await partitionsOf('events')).toContain('events_203101');
  });

  it('take over what a clock that jumped ahead had put into the default one', async () => {
    await store({ at: at('2031-01-15'), status: 'SUCCEEDED' });
    const count = async (table: string) =>
      (await query(database.ownerUrl, `SELECT count(*)::int AS count FROM ${table}`))[0]?.['count'];
    expect(await count('deliveries_default')).toBe(1);
    await keep(at('2031-01-10'));
    expect([await count('deliveries_default'), await count('deliveries_203101')]).toEqual([0, 1]);
  });

  it('leave nothing old in the default one but what has not ended: a clock that jumped back put it there', async () => {
    const long = at('2001-01-15');
    await store({ at: long, status: 'FAILED' });
    await store({ at: new Date(long.getTime() + 1), status: 'HELD' });
    await keep(new Date());
    expect(await query(database.ownerUrl, 'SELECT status FROM deliveries')).toEqual([{ status: 'HELD' }]);
  });

  it('are dropped while others use the table, or not at all: nobody is kept waiting for long', async () => {
    await keep(at('2031-01-10'));
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('SELECT FROM deliveries');
    await expect(keep(at('2031-05-10'))).rejects.toMatchObject({ code: '55P03' });
    await client.query('COMMIT');
    client.release();
    expect(await keep(at('2031-05-10'))).toContain('deliveries_203101');
  });

  it('are dropped by one at a time: who comes second neither waits nor fails (rule 40)', async () => {
    await keep(at('2031-01-10'));
    const drop = "SELECT optio.drop_expired_partition('deliveries', '2031-05-10') AS name";
    const client = await pool.connect();
    await client.query('BEGIN');
    const first = await client.query(drop);
    const second = await pool.query(drop);
    await client.query('COMMIT');
    client.release();
    expect([...first.rows, ...second.rows]).toEqual([{ name: 'deliveries_203101' }, { name: null }]);
  });

  it('are dropped once each by three at once (rule 40)', async () => {
    await keep(at('2031-01-10'));
    const others = createPool({
      url: database.urls.workerUrl,
      maxConnections: 3,
      onIdleError: () => undefined,
    });
    const dropped = await Promise.all(
      [1, 2, 3].map(() => keepPartitions({ pool: others, now: at('2031-05-10'), retention: RETENTION })),
    );
    await others.end();
    // What one leaves to another, who was making partitions, goes by the next run.
    const names = [...dropped.flat(), ...(await keep(at('2031-05-10')))];
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['deliveries_203101', 'delivery_attempts_203101', 'events_203101']),
    );
  });

  it('of the update log take with them the cursors that begin in them', async () => {
    const line = `INSERT INTO delivery_updates (organization_id, at, delivery_id, version, subscription_id, event_type, status, attempt_number)
      VALUES ($1, $2, $1, 1, $1, 'task.completed', 'PENDING', 0) RETURNING transaction_id::text AS transaction`;
    const now = new Date();
    const later = new Date(now.getTime() + 20 * DAY_MS);
    const [row] = await query(database.ownerUrl, line, [newId(), now]);
    await keep(later);
    const [installation] = await query(
      database.ownerUrl,
      'SELECT log_starts_at::text AS start FROM installation',
    );
    expect(BigInt(String(installation?.['start']))).toBe(BigInt(String(row?.['transaction'])) + 1n);
    expect(await query(database.ownerUrl, 'SELECT FROM delivery_updates')).toEqual([]);
  });

  it('of access tokens go two days after their day', async () => {
    await keep(at('2031-01-10'));
    expect(await keep(at('2031-01-13'))).toContain('oauth_access_tokens_20310110');
    expect(await partitionsOf('oauth_access_tokens')).toContain('oauth_access_tokens_20310111');
  });

  it('are dropped by the worker through this alone: it owns none of them', async () => {
    await expect(pool.query('DROP TABLE deliveries_default')).rejects.toThrow('must be owner');
  });
});

describe('expired idempotency keys (webhooks rule 2)', () => {
  it('are forgotten, however many, and no others', async () => {
    const now = new Date();
    await query(
      database.ownerUrl,
      `INSERT INTO event_idempotency_keys SELECT $1, n::text, $1, '', $2::timestamptz - interval '1 second' * (n - 1)
       FROM generate_series(0, 12000) AS n`,
      [newId(), now],
    );
    expect(await forgetExpiredKeys(pool, now)).toBe(12_000);
    expect(await query(database.ownerUrl, 'SELECT key FROM event_idempotency_keys')).toEqual([{ key: '0' }]);
  });
});
