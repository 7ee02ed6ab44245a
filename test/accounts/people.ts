/** People and schools for tests of accounts, over a database of their own. */
import type { Pool } from 'pg';
import { setMembership } from '../../src/accounts/membership.ts';
import { setPassword } from '../../src/accounts/password.ts';
import type { MemberRole, User } from '../../src/accounts/statements.ts';
import { createUser } from '../../src/accounts/user.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';

export type People = {
  readonly database: TestDatabase;
  /** As the authorization server logs in. */
  readonly pool: Pool;
  readonly clock: TurnableClock;
  readonly sql: (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  readonly addOrganization: (name?: string) => Promise<string>;
  /** A person with the password `PASSWORD`. */
  readonly addUser: (options?: AddUser) => Promise<User>;
  readonly join: (user: User, organizationId: string, role?: MemberRole) => Promise<void>;
  readonly close: () => Promise<void>;
};

export type AddUser = { readonly email?: string; readonly name?: string; readonly isPlatformAdmin?: boolean };

export const PASSWORD = 'a walk in the rain';
export const BROWSER = { address: '203.0.113.9', userAgent: 'Firefox' };

export async function openPeople(): Promise<People> {
  const database = await createTestDatabase();
  const clock = turnableClock(new Date('2026-11-25T09:00:00Z'));
  const pool = createPool({ url: database.urls.authUrl, maxConnections: 10, onIdleError: () => undefined });
  const sql: People['sql'] = (text, values) => query(database.ownerUrl, text, values);
  return {
    database,
    pool,
    clock,
    sql,
    addOrganization: async (name = 'North') => {
      const id = newId();
      await sql('INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $3)', [id, `school-${id}`, name]);
      return id;
    },
    addUser: async ({ email, name = 'Ada Lovelace', isPlatformAdmin = false } = {}) => {
      const id = newId();
      const address = email ?? `ada-${id}@school.example`;
      const user = await createUser(pool, { id, email: address, name, isPlatformAdmin }, clock.now());
      await setPassword(pool, user, PASSWORD, clock.now());
      return user;
    },
    join: (user, organizationId, role = 'ADMIN') =>
      setMembership(pool, { organizationId, userId: user.id, role }),
    close: async () => {
      await pool.end();
      await database.drop();
    },
  };
}
