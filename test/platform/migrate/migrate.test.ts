import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../../src/platform/migrate/migrate.ts';
import { withOwnerSession, withStartLock } from '../../../src/platform/migrate/owner-session.ts';
import { checkServerVersion } from '../../../src/platform/migrate/server-version.ts';
import { createEmptyDatabase, query } from '../../support/database.ts';
import { type MigrationsFixture, migrationsFixture } from './fixture.ts';

const ACCOUNTS = '20260101000000_accounts';
const COUNTER = '20260102000000_counter';
const THIRD = '20260103000000_third';
const SCRIPTS = {
  [ACCOUNTS]: `CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL DEFAULT 'a;b');
CREATE TABLE days (day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE days_2026 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts USING (name = current_user);`,
  [COUNTER]: `CREATE FUNCTION next_account() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO accounts SELECT coalesce(max(id), 0) + 1 FROM accounts;
  RETURN (SELECT max(id) FROM accounts);
END $$;
SELECT next_account(); -- the last line is a comment`,
};

let fixture: MigrationsFixture;
let database: Awaited<ReturnType<typeof createEmptyDatabase>>;
let said: string[];

beforeEach(async () => {
  [fixture, database] = await Promise.all([migrationsFixture(SCRIPTS), createEmptyDatabase()]);
  said = [];
});

afterEach(async () => {
  await Promise.all([fixture.clear(), database.drop()]);
});

function run(): Promise<{ applied: readonly string[] }> {
  return migrate({
    url: database.ownerUrl,
    directory: fixture.directory,
    log: { info: (_fields, message) => said.push(message) },
  });
}

async function hasTable(name: string): Promise<unknown> {
  const [row] = await query(database.ownerUrl, 'SELECT to_regclass($1) IS NOT NULL AS exists', [name]);
  return row?.['exists'];
}

describe('an empty database', () => {
  it('gets all migrations in their order, with bodies, partitions and policies', async () => {
    expect(await run()).toEqual({ applied: [ACCOUNTS, COUNTER] });
    expect(await query(database.ownerUrl, 'SELECT id, name FROM accounts')).toEqual([{ id: 1, name: 'a;b' }]);
    expect(await query(database.ownerUrl, 'SELECT policyname FROM pg_policies')).toEqual([
      { policyname: 'own' },
    ]);
  });

  it('gets its tables in public, though the owner has a schema of its own name', async () => {
    const owner = `owner_${database.name}`;
    await query(database.ownerUrl, `CREATE ROLE ${owner} LOGIN SUPERUSER PASSWORD 'of-the-owner'`);
    await query(database.ownerUrl, `CREATE SCHEMA AUTHORIZATION ${owner}`);
    const url = new URL(database.ownerUrl);
    [url.username, url.password] = [owner, 'of-the-owner'];
    try {
      await migrate({ url: url.href, directory: fixture.directory, log: { info: () => undefined } });
      const tables = await query(
        database.ownerUrl,
        "SELECT schemaname, tablename FROM pg_tables WHERE tablename IN ('accounts', '_prisma_migrations') ORDER BY 2",
      );
      expect(tables).toEqual([
        { schemaname: 'public', tablename: '_prisma_migrations' },
        { schemaname: 'public', tablename: 'accounts' },
      ]);
    } finally {
      await query(database.ownerUrl, `REASSIGN OWNED BY ${owner} TO CURRENT_USER; DROP ROLE ${owner}`);
    }
  });

  it('keeps the history as prisma migrate does', async () => {
    await run();
    const rows = await query(
      database.ownerUrl,
      `SELECT migration_name, length(checksum) AS checksum, logs, applied_steps_count AS steps,
              finished_at >= started_at AS finished, rolled_back_at FROM _prisma_migrations ORDER BY started_at`,
    );
    const row = { checksum: 64, logs: null, steps: 1, finished: true, rolled_back_at: null };
    expect(rows).toEqual([
      { migration_name: ACCOUNTS, ...row },
      { migration_name: COUNTER, ...row },
    ]);
  });

  it('takes a script that changes the search path', async () => {
    await fixture.write(THIRD, "SET LOCAL search_path = ''; CREATE TABLE public.third ();");
    expect(await run()).toEqual({ applied: [ACCOUNTS, COUNTER, THIRD] });
    expect(await run()).toEqual({ applied: [] });
  });

  it('stays empty when there are no migrations', async () => {
    await fixture.remove(ACCOUNTS);
    await fixture.remove(COUNTER);
    expect(await run()).toEqual({ applied: [] });
    expect(await hasTable('_prisma_migrations')).toBe(false);
  });
});

describe('a database that is up to date', () => {
  it('is left alone, without waiting for anybody', async () => {
    await run();
    await withOwnerSession(database.ownerUrl, (client) =>
      withStartLock(client, {
        work: async () => {
          expect(await run()).toEqual({ applied: [] });
        },
      }),
    );
  });

  it('gets only what is new', async () => {
    await run();
    await fixture.write(THIRD, 'CREATE TABLE third ();');
    expect(await run()).toEqual({ applied: [THIRD] });
    expect(await hasTable('third')).toBe(true);
  });
});

describe('a history that does not fit is refused', () => {
  it('when an applied migration was edited', async () => {
    await run();
    await fixture.write(ACCOUNTS, 'CREATE TABLE accounts (id int);');
    await fixture.write(THIRD, 'CREATE TABLE third ();');
    await expect(run()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(new RegExp(`${ACCOUNTS} was changed.*new migration`)),
    });
    expect(await hasTable('third')).toBe(false);
  });

  it('when an applied migration is missing in the folder', async () => {
    await run();
    await fixture.remove(COUNTER);
    await fixture.write(THIRD, 'CREATE TABLE third ();');
    await expect(run()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(new RegExp(`${COUNTER}.*newer server`)),
    });
    expect(await hasTable('third')).toBe(false);
  });

  it('when another tool began a migration and did not finish it', async () => {
    await run();
    await fixture.write(THIRD, 'CREATE TABLE third ();');
    await query(
      database.ownerUrl,
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, logs) VALUES ('x', 'y', '${THIRD}', 'it broke')`,
    );
    await expect(run()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`resolve --rolled-back ${THIRD}`),
    });
    await query(
      database.ownerUrl,
      `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${THIRD}' AND finished_at IS NULL`,
    );
    expect(await run()).toEqual({ applied: [THIRD] });
  });

  it('when the database holds tables of somebody else', async () => {
    await query(database.ownerUrl, 'CREATE TABLE somebody_elses ()');
    await expect(run()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('not empty'),
    });
    expect(await hasTable('accounts')).toBe(false);
  });
});

describe('a migration that fails', () => {
  const BROKEN = `CREATE TABLE third (id int);
INSERT INTO third VALUES (1);
INSERT INTO accounts (id) VALUES (1);`;

  it('leaves nothing behind, keeps the ones before, and says which it was and why', async () => {
    await fixture.write(THIRD, BROKEN);
    await expect(run()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(
        new RegExp(`${THIRD} failed.*duplicate key value violates unique constraint.*\\(id\\)=\\(1\\)`),
      ),
    });
    expect(await hasTable('third')).toBe(false);
    expect(await query(database.ownerUrl, 'SELECT id FROM accounts')).toEqual([{ id: 1 }]);
  });

  it('names the line of a mistake', async () => {
    await fixture.write(THIRD, 'CREATE TABLE third ();\n\nCREATE TABEL fourth ();');
    await expect(run()).rejects.toThrow(/syntax error at or near "TABEL" \(42601\) at line 3/);
  });

  it('runs at the next start once it is corrected', async () => {
    await fixture.write(THIRD, BROKEN);
    await expect(run()).rejects.toThrow(THIRD);
    await expect(run()).rejects.toThrow(THIRD);
    await fixture.write(THIRD, 'CREATE TABLE third ();');
    expect(await run()).toEqual({ applied: [THIRD] });
    expect(await run()).toEqual({ applied: [] });
  });

  it('does not keep what came after a BEGIN of its own', async () => {
    await fixture.write(THIRD, 'BEGIN; CREATE TABLE third (); SELECT 1 / 0; COMMIT;');
    await expect(run()).rejects.toThrow('division by zero');
    expect(await hasTable('third')).toBe(false);
  });
});

describe('several processes at once', () => {
  it('migrate once: the others wait, and find nothing to do', async () => {
    await fixture.write(THIRD, 'SELECT pg_sleep(0.5); CREATE TABLE third ();');
    const results = await Promise.all([run(), run(), run()]);
    expect(results.map(({ applied }) => applied.length).toSorted((a, b) => a - b)).toEqual([0, 0, 3]);
    expect(said.filter((message) => message.includes('another process migrates'))).toHaveLength(2);
  });
});

describe('a process that is killed in the middle of a migration', () => {
  const SLOW = `CREATE TABLE third ();
SELECT pg_sleep(1);
SELECT pg_advisory_lock(1);
SELECT pg_advisory_unlock(1);`;

  beforeEach(async () => {
    await fixture.write(THIRD, SLOW);
  });

  it('finds it finished when the database worked on alone', async () => {
    const holder = new Client({ connectionString: database.ownerUrl });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(1)');
    await killInTheMiddle();
    const next = run();
    await holder.end();
    expect(await next).toEqual({ applied: [] });
    expect(await hasTable('third')).toBe(true);
  });

  it('runs it again when nothing of it was left', async () => {
    const pid = await killInTheMiddle();
    await query(database.ownerUrl, 'SELECT pg_terminate_backend($1, 5000)', [pid]);
    expect(await hasTable('third')).toBe(false);
    expect(await run()).toEqual({ applied: [THIRD] });
    expect(said).toContain('a migration was interrupted and left nothing; running it again');
    expect(await hasTable('third')).toBe(true);
  });
});

describe('the database itself', () => {
  it('is refused when it is older than PostgreSQL 15', async () => {
    await expect(checkServerVersion(answering(140_011, '14.11'))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('PostgreSQL 14.11, but 15 or newer'),
    });
    await expect(checkServerVersion(answering(150_000, '15.0'))).resolves.toBeUndefined();
  });

  it('is named without its password when it cannot be reached', async () => {
    const url = 'postgresql://someone:a-password@127.0.0.1:1/nowhere';
    const attempt = migrate({ url, directory: fixture.directory, log: { info: () => undefined } });
    await expect(attempt).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/nowhere at 127\.0\.0\.1:1 cannot be reached/),
    });
    await expect(attempt).rejects.not.toThrow('a-password');
  });
});

/** Runs the slow migration in a process, and kills this when it is in the middle; returns the pid in the database. */
async function killInTheMiddle(): Promise<unknown> {
  const path = fileURLToPath(new URL('migrating-process.ts', import.meta.url));
  const child = spawn(process.execPath, [path, database.ownerUrl, fixture.directory]);
  const running = () =>
    query(
      database.ownerUrl,
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event IN ('PgSleep', 'advisory')",
    );
  await expect.poll(running).toHaveLength(1);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  return (await running())[0]?.['pid'];
}

/** A connection to a server of another version, as far as the check looks at it. */
function answering(number: number, text: string): Pick<Client, 'query'> {
  const answer = () => Promise.resolve({ rows: [{ number, text }] });
  // The check calls one of the many overloads of query.
  return { query: answer as unknown as Client['query'] };
}
