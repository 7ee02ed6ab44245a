import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BootstrapOptions, bootstrap } from '../../src/accounts/bootstrap.ts';
import { findPasswordHash } from '../../src/accounts/password.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { verifyPassword } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const EMAIL = 'admin@optio.example';
let database: TestDatabase;
let pool: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.ownerUrl, maxConnections: 10, onIdleError: () => undefined });
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

function start(options: Partial<BootstrapOptions> = {}, by = pool) {
  return bootstrap({
    pool: by,
    clock: systemClock,
    options: { adminEmail: EMAIL, ...options },
    bootstrapClient: async (_, organization) => ({ created: false, client: { of: organization.id } }),
  });
}

async function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  const { rows } = await pool.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
  return rows;
}

async function passwordIs(email: string, password: string): Promise<boolean> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM users WHERE email = $1', [email]);
  const hash = await findPasswordHash(pool, rows[0]?.id ?? '');
  return hash !== null && verifyPassword(hash, password);
}

describe('the first start', () => {
  test('makes the organization, a platform admin who is its ADMIN, and hands on to the client', async () => {
    const result = await start();
    expect(result).toEqual({
      created: true,
      organization: { id: expect.any(String), slug: 'optio-academy', name: 'Optio Academy' },
      admin: { email: EMAIL, password: expect.stringMatching(/^[A-Za-z0-9]{24}$/) },
      client: { of: result.organization.id },
    });
    expect(await rowsOf('organizations')).toMatchObject([result.organization]);
    const [user] = await rowsOf('users');
    expect(user).toMatchObject({ email: EMAIL, is_platform_admin: true, deactivated_at: null });
    expect(await rowsOf('memberships')).toMatchObject([
      { organization_id: result.organization.id, user_id: user?.id, role: 'ADMIN' },
    ]);
  });

  test('shows the password that it generated, which works, and stores only its Argon2id hash', async () => {
    const { admin } = await start();
    expect(await passwordIs(EMAIL, admin.password ?? '')).toBe(true);
    const [row] = await rowsOf('user_passwords');
    expect(row?.hash).toMatch(/^\$argon2id\$/);
  });

  test('uses a given password and does not show it', async () => {
    const { admin } = await start({ adminPassword: 'a password of choice' });
    expect(admin).toEqual({ email: EMAIL });
    expect(await passwordIs(EMAIL, 'a password of choice')).toBe(true);
  });

  test('stores the address in lower case', async () => {
    expect((await start({ adminEmail: ' Admin@Optio.EXAMPLE ' })).admin.email).toBe(EMAIL);
  });

  test.each([
    ['a password that is too short', { adminPassword: 'short' }, 'at least 12 characters'],
    ['an address that is none', { adminEmail: 'admin' }, 'An email address is expected'],
  ])('refuses %s and makes nothing', async (_, options, message) => {
    await expect(start(options)).rejects.toMatchObject({
      code: 'VALIDATION',
      message: expect.stringContaining(message),
    });
    expect(await rowsOf('organizations')).toEqual([]);
    expect(await rowsOf('users')).toEqual([]);
  });

  test('makes nothing when the client cannot be made', async () => {
    const failing = bootstrap({
      pool,
      clock: systemClock,
      options: { adminEmail: EMAIL },
      bootstrapClient: () => Promise.reject(new Error('no client')),
    });
    await expect(failing).rejects.toThrow('no client');
    expect(await rowsOf('organizations')).toEqual([]);
    expect(await rowsOf('users')).toEqual([]);
  });

  test('in several processes at once: one creates, the others find what it made', async () => {
    const results = await Promise.all(Array.from({ length: 6 }, () => start()));
    expect(results.filter(({ created }) => created)).toHaveLength(1);
    expect(results.filter(({ admin }) => admin.password !== undefined)).toHaveLength(1);
    expect(new Set(results.map(({ organization }) => organization.id)).size).toBe(1);
    expect(await rowsOf('users')).toHaveLength(1);
  });

  test('is not for the roles that serve requests', async () => {
    for (const url of Object.values(database.urls)) {
      const other = createPool({ url, maxConnections: 1, onIdleError: () => undefined });
      await expect(start({}, other)).rejects.toThrow('permission denied');
      await other.end();
    }
  });
});

describe('a later start', () => {
  test('changes nothing and shows nothing', async () => {
    const first = await start();
    const again = await start();
    expect(again).toMatchObject({ created: false, organization: first.organization });
    expect(again.admin).toEqual({ email: EMAIL });
    expect(await passwordIs(EMAIL, first.admin.password ?? '')).toBe(true);
  });

  test('with another email or password: the values count no more', async () => {
    await start({ adminPassword: 'a password of choice' });
    const again = await start({ adminEmail: 'other@optio.example', adminPassword: 'another password' });
    expect(again).toMatchObject({ created: false, admin: { email: EMAIL } });
    expect(await rowsOf('users')).toHaveLength(1);
    expect(await passwordIs(EMAIL, 'a password of choice')).toBe(true);
  });

  test('keeps the organization that was renamed', async () => {
    const { organization } = await start();
    await pool.query(`UPDATE organizations SET slug = 'school', name = 'A School'`);
    expect((await start()).organization).toEqual({ id: organization.id, slug: 'school', name: 'A School' });
  });

  test('without any active platform admin left, makes one of the user with that address, who keeps his password', async () => {
    await start({ adminPassword: 'a password of choice' });
    await pool.query('UPDATE users SET is_platform_admin = false');
    const again = await start({ adminPassword: 'another password' });
    expect(again).toMatchObject({ created: true, admin: { email: EMAIL } });
    expect(await rowsOf('users')).toMatchObject([{ email: EMAIL, is_platform_admin: true }]);
    expect(await passwordIs(EMAIL, 'a password of choice')).toBe(true);
  });

  test('gives a password to a user who has none', async () => {
    await pool.query('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [newId(), EMAIL, 'Ada']);
    const { admin } = await start();
    expect(await passwordIs(EMAIL, admin.password ?? '')).toBe(true);
  });
});
