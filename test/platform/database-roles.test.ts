import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { provisionLogins } from '../../src/platform/database-roles.ts';
import { createTestDatabase, query, TEST_KEY, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

/** What is stored of the logins: it changes whenever one is written. */
function stored(): Promise<Record<string, unknown>[]> {
  return query(
    database.ownerUrl,
    "SELECT rolname, rolpassword, xmin::text FROM pg_authid WHERE rolname LIKE current_database() || '%' ORDER BY rolname",
  );
}

async function currentUser(url: string): Promise<unknown> {
  const [row] = await query(url, 'SELECT current_user AS name');
  return row?.['name'];
}

describe('the logins of a database', () => {
  it('are one per group role, named after database and group', async () => {
    const { tenantUrl, workerUrl, authUrl } = database.urls;
    expect(await Promise.all([tenantUrl, workerUrl, authUrl].map(currentUser))).toEqual([
      `${database.name}_tenant_login`,
      `${database.name}_worker_login`,
      `${database.name}_auth_login`,
    ]);
  });

  it('are members of their group alone, and of no power', async () => {
    const rows = await query(
      database.ownerUrl,
      `SELECT r.rolname AS login, g.rolname AS in_group, r.rolinherit AS inherits,
              r.rolsuper OR r.rolcreatedb OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication AS has_power
       FROM pg_roles r JOIN pg_auth_members m ON m.member = r.oid JOIN pg_roles g ON g.oid = m.roleid
       WHERE r.rolname LIKE current_database() || '%' ORDER BY 1`,
    );
    expect(rows).toEqual(
      ['auth', 'tenant', 'worker'].map((kind) => ({
        login: `${database.name}_${kind}_login`,
        in_group: `optio_${kind}`,
        inherits: true,
        has_power: false,
      })),
    );
  });

  it('have limits on statements, locks, transactions and idle ones (webhooks rule 36)', async () => {
    for (const url of Object.values(database.urls)) {
      const [row] = await query(
        url,
        `SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
                current_setting('idle_in_transaction_session_timeout') AS idle,
                current_setting('transaction_timeout') AS transaction`,
      );
      expect(row).toEqual({ statement: '30s', lock: '10s', idle: '30s', transaction: '2min' });
    }
  });

  it('have passwords that PostgreSQL got as SCRAM verifiers', async () => {
    for (const row of await stored()) {
      expect(row['rolpassword']).toMatch(/^SCRAM-SHA-256\$4096:[\w+/=]{24}\$[\w+/=]{44}:[\w+/=]{44}$/);
    }
    const guessed = new URL(database.urls.tenantUrl);
    guessed.password = TEST_KEY.toString('base64url');
    await expect(query(guessed.href, 'SELECT')).rejects.toMatchObject({ code: '28P01' });
  });

  it('are held to row-level security and to what their group was granted', async () => {
    await query(
      database.ownerUrl,
      `CREATE TABLE notes (organization text);
       INSERT INTO notes VALUES ('ours'), ('theirs');
       ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
       CREATE POLICY tenant ON notes TO optio_tenant USING (organization = current_setting('app.organization', true));
       GRANT SELECT ON notes TO optio_tenant`,
    );
    expect(await query(database.urls.tenantUrl, 'SELECT organization FROM notes')).toEqual([]);
    const ours = new URL(database.urls.tenantUrl);
    ours.searchParams.set('options', '-c app.organization=ours');
    expect(await query(ours.href, 'SELECT organization FROM notes')).toEqual([{ organization: 'ours' }]);
    await expect(query(database.urls.workerUrl, 'SELECT FROM notes')).rejects.toMatchObject({
      code: '42501',
    });
    await expect(query(ours.href, 'SET ROLE optio_owner')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a later start', () => {
  it('writes nothing, and gets the same URLs', async () => {
    const before = await stored();
    expect(await provisionLogins({ ownerUrl: database.ownerUrl, key: TEST_KEY })).toEqual(database.urls);
    expect(await stored()).toEqual(before);
  });

  it('with another key gives other passwords, and the old ones end', async () => {
    const urls = await provisionLogins({ ownerUrl: database.ownerUrl, key: randomBytes(32) });
    expect(await currentUser(urls.tenantUrl)).toBe(`${database.name}_tenant_login`);
    for (const url of Object.values(database.urls)) {
      await expect(query(url, 'SELECT')).rejects.toMatchObject({ code: '28P01' });
    }
  });

  it('mends a login that lost its group', async () => {
    await query(database.ownerUrl, `REVOKE optio_worker FROM ${database.name}_worker_login`);
    await provisionLogins({ ownerUrl: database.ownerUrl, key: TEST_KEY });
    const [row] = await query(
      database.urls.workerUrl,
      "SELECT pg_has_role('optio_worker', 'USAGE') AS is_member",
    );
    expect(row).toEqual({ is_member: true });
  });

  it('gives a login of an earlier version the limit that came later', async () => {
    await query(database.ownerUrl, `ALTER ROLE ${database.name}_worker_login RESET transaction_timeout`);
    await provisionLogins({ ownerUrl: database.ownerUrl, key: TEST_KEY });
    const [row] = await query(
      database.urls.workerUrl,
      "SELECT current_setting('transaction_timeout') AS limit",
    );
    expect(row).toEqual({ limit: '2min' });
  });

  it('by several processes at once does not collide', async () => {
    const key = randomBytes(32);
    const results = await Promise.all(
      Array.from({ length: 6 }, () => provisionLogins({ ownerUrl: database.ownerUrl, key })),
    );
    expect(new Set(results.map(({ authUrl }) => authUrl)).size).toBe(1);
    expect(await currentUser(results[0]?.authUrl ?? '')).toBe(`${database.name}_auth_login`);
  });
});

describe('refusals', () => {
  it('a login that could pass row-level security', async () => {
    await query(database.ownerUrl, `ALTER ROLE ${database.name}_tenant_login BYPASSRLS`);
    await expect(provisionLogins({ ownerUrl: database.ownerUrl, key: TEST_KEY })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`${database.name}_tenant_login is a superuser or bypasses`),
    });
  });

  it('an owner who may not make roles, naming what to grant', async () => {
    const owner = `${database.name}_plain_login`;
    await query(database.ownerUrl, `CREATE ROLE ${owner} LOGIN PASSWORD 'plain'`);
    const url = new URL(database.ownerUrl);
    url.username = owner;
    url.password = 'plain';
    const attempt = provisionLogins({ ownerUrl: url.href, key: randomBytes(32) });
    await expect(attempt).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(
        new RegExp(`ALTER ROLE "${owner}" CREATEROLE; GRANT optio_tenant TO "${owner}" WITH ADMIN OPTION`),
      ),
    });
    await query(database.ownerUrl, `DROP ROLE ${owner}`);
  });

  it('does what it says when an owner without power was granted that', async () => {
    const owner = `${database.name}_plain_login`;
    await query(database.ownerUrl, `CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'plain'`);
    await query(
      database.ownerUrl,
      `GRANT optio_tenant, optio_worker, optio_auth TO ${owner} WITH ADMIN OPTION`,
    );
    await query(
      database.ownerUrl,
      `DROP ROLE ${['tenant', 'worker', 'auth'].map((kind) => `${database.name}_${kind}_login`).join(', ')}`,
    );
    const url = new URL(database.ownerUrl);
    url.username = owner;
    url.password = 'plain';
    const first = await provisionLogins({ ownerUrl: url.href, key: randomBytes(32) });
    const second = await provisionLogins({ ownerUrl: url.href, key: TEST_KEY });
    await expect(query(first.tenantUrl, 'SELECT')).rejects.toMatchObject({ code: '28P01' });
    expect(await currentUser(second.tenantUrl)).toBe(`${database.name}_tenant_login`);
    await query(database.ownerUrl, `DROP OWNED BY ${owner} CASCADE; DROP ROLE ${owner}`);
  });
});

describe('a database with a long name', () => {
  it('has logins of 63 bytes that differ from those of its neighbours', async () => {
    const names = ['a', 'b'].map((end) => `${'täglich'.repeat(6)}_${randomBytes(4).toString('hex')}_${end}`);
    const users: unknown[] = [];
    for (const name of names) {
      await query(inject('databaseUrl'), `CREATE DATABASE "${name}" TEMPLATE optio_template`);
      const ownerUrl = new URL(inject('databaseUrl'));
      ownerUrl.pathname = `/${name}`;
      const { tenantUrl, workerUrl, authUrl } = await provisionLogins({
        ownerUrl: ownerUrl.href,
        key: TEST_KEY,
      });
      users.push(...(await Promise.all([tenantUrl, workerUrl, authUrl].map(currentUser))));
    }
    expect(new Set(users).size).toBe(6);
    expect(users.every((user) => Buffer.byteLength(String(user)) <= 63)).toBe(true);
    for (const name of names) {
      await query(inject('databaseUrl'), `DROP DATABASE "${name}"`);
    }
    for (const user of users) {
      await query(inject('databaseUrl'), `DROP ROLE "${String(user)}"`);
    }
  });
});
