import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectClient } from '../support/client.ts';
import { createEmptyDatabase, createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import {
  createDataDirectory,
  type DataDirectory,
  type Environment,
  MASTER_KEY,
  runServer,
  startServer,
} from '../support/server.ts';

const OTHER_KEY = Buffer.alloc(32, 'another key').toString('base64');

let data: DataDirectory;
let occupied: Server;
let port: string;

beforeAll(async () => {
  data = await createDataDirectory();
  occupied = createServer();
  await once(occupied.listen(0, '127.0.0.1'), 'listening');
  port = String((occupied.address() as AddressInfo).port); // It listens on a port.
});

afterAll(async () => {
  occupied.close();
  await data.remove();
});

/** What a server says that does not start. */
async function refusalOf(environment: Environment): Promise<string> {
  const server = runServer({ DATA_DIR: data.path, PORT: '0', DEMO: '0', ...environment });
  expect(await server.exited).toEqual({ code: 1, signal: null });
  expect(server.output()).not.toMatch(/^\s+at /m);
  return server.output();
}

describe('a start that cannot succeed ends with code 1 and says why, without a stack', () => {
  it('when another program has the port', async () => {
    const said = await refusalOf({ PORT: port });
    expect(said).toContain(`Port ${port} on 127.0.0.1 is in use`);
    expect(said).toContain('set PORT');
  });

  it('when another server has the data directory', async () => {
    const first = await startServer({ DATA_DIR: data.path });
    try {
      const said = await refusalOf({});
      expect(said).toContain(data.path);
      expect(said).toContain(String(first.pid));
      expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
    } finally {
      await first.stop();
    }
  });

  it('when settings are wrong: all of them in one message', async () => {
    const said = await refusalOf({ PORT: 'http', ROLE: 'scheduler', WEBHOOK_RETRY_SECONDS: 'soon' });
    for (const name of ['PORT', 'ROLE', 'WEBHOOK_RETRY_SECONDS'])
      expect(said).toContain(`\n  ${name}: expected `);
  });

  it('when nothing listens at DATABASE_URL', async () => {
    const said = await refusalOf({ DATABASE_URL: 'postgres://optio:tops3cr3t@127.0.0.1:1/optio' });
    expect(said).toContain('127.0.0.1:1');
    expect(said).toContain('DATABASE_URL');
    expect(said).not.toContain('tops3cr3t');
  });

  it('when what listens at DATABASE_URL is no PostgreSQL', async () => {
    const refusing = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await once(refusing.listen(0, '127.0.0.1'), 'listening');
    const { port: other } = refusing.address() as AddressInfo; // It listens on a port.
    const said = await refusalOf({ DATABASE_URL: `postgres://optio:tops3cr3t@127.0.0.1:${other}/optio` });
    refusing.close();
    expect(said).toContain('DATABASE_URL');
    expect(said).not.toContain('tops3cr3t');
  });

  it('when the database does not let it in', async () => {
    const url = new URL(inject('databaseUrl'));
    url.password = 'tops3cr3t';
    const said = await refusalOf({ DATABASE_URL: url.href });
    expect(said).toContain('password authentication failed for user');
    expect(said).toContain('Check DATABASE_URL');
    expect(said).not.toContain('tops3cr3t');
  });

  it('when there is no such database', async () => {
    const url = new URL(inject('databaseUrl'));
    url.pathname = '/there_is_none';
    const said = await refusalOf({ DATABASE_URL: url.href });
    expect(said).toContain('database "there_is_none" does not exist');
    expect(said).toContain('Check DATABASE_URL');
  });

  it.each(['', '/below'])('when DATA_DIR is a file%s', async (below) => {
    const file = join(data.path, 'file');
    await writeFile(file, '');
    const said = await refusalOf({ DATA_DIR: `${file}${below}` });
    expect(said).toContain(`The data directory ${file}${below} cannot be used`);
    expect(said).toContain('Set DATA_DIR to a folder');
    const withKey = await refusalOf({ DATA_DIR: `${file}${below}`, MASTER_KEY: OTHER_KEY });
    expect(withKey).toBe(said);
  });

  it('when the generated key was damaged', async () => {
    const directory = join(data.path, 'damaged');
    await mkdir(directory);
    await writeFile(join(directory, 'master-key'), 'c2hvcnQ=');
    const said = await refusalOf({ DATA_DIR: directory, DATABASE_URL: inject('databaseUrl') });
    expect(said).toContain(`${directory}/master-key does not hold a master key: expected 32 bytes in base64`);
  });
});

describe('a database that was used before', () => {
  let database: TestDatabase;
  let settings: Environment;
  beforeAll(async () => {
    database = await createTestDatabase();
    settings = { DATABASE_URL: database.ownerUrl };
    const first = await startServer(settings);
    await connectClient(first);
    await first.stop();
  });
  afterAll(() => database.drop());

  /** All that a start could have changed: the roles of the cluster, and how each table stands. */
  const state = () =>
    query(
      database.ownerUrl,
      `SELECT (SELECT json_agg(r.rolpassword ORDER BY r.rolname) FROM pg_authid r WHERE starts_with(r.rolname, current_database())) AS logins,
         (SELECT json_agg(m ORDER BY m.migration_name) FROM _prisma_migrations m) AS migrations,
         (SELECT json_agg(s ORDER BY s.id) FROM signing_keys s) AS keys,
         (SELECT count(*)::int FROM users) AS users`,
    );

  it('and was sealed under another master key is left as it is, with what to do', async () => {
    const before = await state();
    const said = await refusalOf({ ...settings, MASTER_KEY: OTHER_KEY });
    expect(said).toContain('The master key does not open what this database holds. Set MASTER_KEY');
    expect(said).not.toContain(OTHER_KEY);
    expect(await state()).toEqual(before);
  });

  it('may be given a new master key before the old one', async () => {
    const rotated = await startServer({ ...settings, MASTER_KEY: `${OTHER_KEY},${MASTER_KEY}` });
    expect((await connectClient(rotated)).token).not.toBe('');
    await rotated.stop();
    const back = await startServer(settings);
    await back.stop();
  });

  it('by a newer server is left as it is, with what to do', async () => {
    await query(
      database.ownerUrl,
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ('newer', 'x', '29991231000000_newer', now(), now(), 1)`,
    );
    const before = await state();
    const said = await refusalOf({ ...settings, MASTER_KEY });
    expect(said).toContain('has had the migration 29991231000000_newer');
    expect(said).toContain('Start that version');
    expect(await state()).toEqual(before);
  });

  it('and left in the middle of a migration by another tool is left as it is, with what to do (P3009)', async () => {
    await query(database.ownerUrl, `UPDATE _prisma_migrations SET finished_at = NULL WHERE id = 'newer'`);
    const before = await state();
    const said = await refusalOf({ ...settings, MASTER_KEY });
    expect(said).toContain('The migration 29991231000000_newer was begun and not finished by another tool');
    expect(said).toContain('npx prisma migrate resolve --rolled-back 29991231000000_newer');
    expect(await state()).toEqual(before);
    await query(database.ownerUrl, `DELETE FROM _prisma_migrations WHERE id = 'newer'`);
    const again = await startServer(settings);
    expect((await again.stop()).code).toBe(0);
  });
});

describe('a database user that may not', () => {
  let database: Omit<TestDatabase, 'urls'>;
  let user: string;
  beforeAll(async () => {
    database = await createEmptyDatabase();
    user = `weak_${database.name}`;
    await query(database.ownerUrl, `CREATE ROLE ${user} LOGIN PASSWORD 'weak'`);
  });
  afterAll(async () => {
    await database.drop();
    await query(inject('databaseUrl'), `DROP ROLE ${user}`);
  });

  it('make tables or schemas is told what to grant, before anything is made', async () => {
    const url = new URL(database.ownerUrl);
    [url.username, url.password] = [user, 'weak'];
    const said = await refusalOf({ DATABASE_URL: url.href });
    expect(said).toContain(`GRANT CREATE ON SCHEMA public TO "${user}";`);
    expect(said).toContain(`GRANT CREATE ON DATABASE "${database.name}" TO "${user}";`);
    expect(said).not.toContain('weak@');
    const tables = await query(database.ownerUrl, "SELECT FROM pg_tables WHERE schemaname = 'public'");
    expect(tables).toEqual([]);
  });
});
