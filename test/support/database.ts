/** Databases for tests: each one a fresh copy of the migrated template, with logins of its own. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { type LoginUrls, provisionLogins } from '../../src/platform/database-roles.ts';

/** The key of every test database's logins. */
export const TEST_KEY: Buffer = Buffer.alloc(32, 'optio test key');

export type TestDatabase = {
  readonly name: string;
  readonly ownerUrl: string;
  readonly urls: LoginUrls;
  /** Drops the database, whoever is still connected, and its logins. */
  readonly drop: () => Promise<void>;
};

/** A migrated, empty database that nothing else uses. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { name, ownerUrl } = await createDatabase('optio_template');
  const urls = await provisionLogins({ ownerUrl, key: TEST_KEY });
  return { name, ownerUrl, urls, drop: () => dropDatabase(name) };
}

/** A database without any tables. */
export async function createEmptyDatabase(): Promise<Omit<TestDatabase, 'urls'>> {
  const { name, ownerUrl } = await createDatabase('template0');
  return { name, ownerUrl, drop: () => dropDatabase(name) };
}

/** Runs SQL on a connection of its own and returns its rows. */
export async function query(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql, [...values]);
    return rows;
  } finally {
    await client.end();
  }
}

async function createDatabase(template: string): Promise<{ name: string; ownerUrl: string }> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  // Copying files is the quicker way for a database that nobody has to recover.
  await query(inject('databaseUrl'), `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`);
  const url = new URL(inject('databaseUrl'));
  url.pathname = `/${name}`;
  return { name, ownerUrl: url.href };
}

async function dropDatabase(name: string): Promise<void> {
  const url = inject('databaseUrl');
  await query(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  for (const kind of ['tenant', 'worker', 'auth']) {
    await query(url, `DROP ROLE IF EXISTS ${name}_${kind}_login`);
  }
}
