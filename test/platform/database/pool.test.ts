import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createPool, inTransaction } from '../../../src/platform/database/pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  await query(database.ownerUrl, 'CREATE TABLE notes (text text)');
  pool = createPool({ url: database.ownerUrl, maxConnections: 1, onIdleError: () => undefined });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const notes = async () => (await pool.query('SELECT text FROM notes')).rows;

it('begins each connection with the settings it was given, also one that replaces a broken one', async () => {
  const set = createPool({
    url: database.ownerUrl,
    maxConnections: 1,
    settings: { enable_sort: 'off', jit: 'off' },
    onIdleError: () => undefined,
  });
  onTestFinished(() => set.end());
  const settings = async () =>
    (
      await set.query(
        "SELECT pg_backend_pid() AS pid, current_setting('enable_sort') AS sort, current_setting('jit') AS jit",
      )
    ).rows[0];
  const first = await settings();
  expect(first).toMatchObject({ sort: 'off', jit: 'off' });
  await query(database.ownerUrl, 'SELECT pg_terminate_backend($1)', [first.pid]);
  await expect.poll(() => set.totalCount).toBe(0);
  const second = await settings();
  expect(second).toMatchObject({ sort: 'off', jit: 'off' });
  expect(second.pid).not.toBe(first.pid);
});

describe('inTransaction', () => {
  it('commits what the work wrote, and answers what it answers', async () => {
    expect(
      await inTransaction(
        pool,
        async (client) => (await client.query("INSERT INTO notes VALUES ('kept')")).rowCount,
      ),
    ).toBe(1);
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });

  it('takes everything back when the work throws, and frees the connection', async () => {
    const work = inTransaction(pool, async (client) => {
      await client.query("INSERT INTO notes VALUES ('lost')");
      throw new Error('given up');
    });
    await expect(work).rejects.toThrow('given up');
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });

  it('fails when a statement failed although the work went on', async () => {
    const work = inTransaction(pool, async (client) => {
      await client.query("INSERT INTO notes VALUES ('lost')");
      await client.query('SELECT 1 / 0').catch(() => undefined);
    });
    await expect(work).rejects.toThrow('rolled back instead of committed');
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });

  it('is UNAVAILABLE when its connection is lost, and the next one has another', async () => {
    const work = inTransaction(pool, async (client) => {
      client.on('error', () => undefined);
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await query(database.ownerUrl, 'SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await client.query('SELECT');
    });
    await expect(work).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await notes()).toEqual([{ text: 'kept' }]);
  });

  it('is UNAVAILABLE when no connection can be had', async () => {
    const url = new URL(database.ownerUrl);
    url.port = '1';
    const away = createPool({ url: url.href, maxConnections: 1, onIdleError: () => undefined });
    onTestFinished(() => away.end());
    await expect(inTransaction(away, async () => undefined)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
