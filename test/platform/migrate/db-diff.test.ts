import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { schemaDifference } from '../../../src/platform/migrate/schema-difference.ts';
import { query } from '../../support/database.ts';
import { type MigrationsFixture, migrationsFixture } from './fixture.ts';

const SCRIPT = fileURLToPath(new URL('../../../scripts/db-diff.ts', import.meta.url));
const FIRST = '20260101000000_first';
// What Prisma does not know (a policy, a function with a body, a partitioned table) must not show as a difference.
const MIGRATION = `CREATE TABLE "Pupil" ("id" INTEGER NOT NULL, "name" TEXT NOT NULL, CONSTRAINT "Pupil_pkey" PRIMARY KEY ("id"));
ALTER TABLE "Pupil" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "Pupil" USING (name = current_user);
CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
`;
const SCHEMA = `datasource db {
  provider = "postgresql"
}

model Pupil {
  id   Int    @id
  name String
}
`;
const WITH_NICKNAME = SCHEMA.replace('name String', 'name String\n  nickname String?');

let fixture: MigrationsFixture;

beforeEach(async () => {
  fixture = await migrationsFixture({ [FIRST]: MIGRATION });
  await writeFile(join(fixture.directory, 'schema.prisma'), SCHEMA);
});

afterEach(() => fixture.clear());

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

function dbDiff(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = { DATABASE_URL: inject('databaseUrl') },
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [SCRIPT, '--directory', fixture.directory, ...args],
      { env: environment },
      (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

function migrationNames(): Promise<string[]> {
  return readdir(join(fixture.directory, 'migrations'));
}

describe('npm run db:diff', () => {
  it('says so when there is no difference, and writes nothing', async () => {
    expect(await dbDiff(['add_nickname'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no difference'),
    });
    expect(await dbDiff(['--check'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no difference'),
    });
    expect(await migrationNames()).toEqual([FIRST]);
  });

  it('writes the difference as a migration, after which there is none', async () => {
    await writeFile(join(fixture.directory, 'schema.prisma'), WITH_NICKNAME);
    expect(await dbDiff(['add_nickname'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('_add_nickname'),
    });
    const [, written = '', lockfile] = await migrationNames();
    expect(written).toMatch(/^\d{14}_add_nickname$/);
    expect(lockfile).toBe('migration_lock.toml');
    expect(await readFile(join(fixture.directory, 'migrations', written, 'migration.sql'), 'utf8')).toContain(
      'ALTER TABLE "Pupil" ADD COLUMN     "nickname" TEXT;',
    );
    expect(await dbDiff(['--check'])).toMatchObject({ code: 0 });
  });

  it('with --check prints the difference, exits 1 and writes nothing', async () => {
    await writeFile(join(fixture.directory, 'schema.prisma'), WITH_NICKNAME);
    expect(await dbDiff(['--check'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('ADD COLUMN     "nickname" TEXT'),
      stderr: expect.stringContaining('npm run db:diff -- <name>'),
    });
    expect(await migrationNames()).toEqual([FIRST]);
  });

  it('works without a database of ours: it brings its own', async () => {
    await writeFile(join(fixture.directory, 'schema.prisma'), WITH_NICKNAME);
    expect(await dbDiff(['--check'], {})).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('nickname'),
    });
  });

  it('leaves no shadow database behind, even when a migration fails', async () => {
    await fixture.write('20260102000000_broken', 'SELECT 1 / 0;');
    expect(await dbDiff(['--check'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('division by zero'),
    });
    const left = await query(
      inject('databaseUrl'),
      "SELECT datname FROM pg_database WHERE datname LIKE 'optio_shadow%'",
    );
    expect(left).toEqual([]);
  });

  it('sweeps shadow databases that a killed run left an hour ago', async () => {
    const old = `optio_shadow_${Date.now() - 3_700_000}_0a1b2c3d`;
    await query(inject('databaseUrl'), `CREATE DATABASE ${old}`);
    await dbDiff(['--check']);
    expect(await query(inject('databaseUrl'), 'SELECT FROM pg_database WHERE datname = $1', [old])).toEqual(
      [],
    );
  });

  it.each([['Add-Nickname'], ['1st'], ['../escape'], ['']])('refuses the name %j', async (name) => {
    expect(await dbDiff([name])).toMatchObject({ code: 2, stderr: expect.stringContaining('add_nickname') });
  });

  it.each([[[]], [['one', 'two']], [['--check', 'one']], [['--chekc']]])(
    'refuses the arguments %j',
    async (args) => {
      expect(await dbDiff(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage') });
    },
  );

  it('says what is wrong with a schema', async () => {
    await writeFile(join(fixture.directory, 'schema.prisma'), SCHEMA.replace('String', 'Strnig'));
    expect(await dbDiff(['--check'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Strnig') });
  });
});

describe('tables that only the migrations know', () => {
  it('are dropped by the difference unless they are named as external', async () => {
    await fixture.write(
      '20260102000000_log',
      'CREATE TABLE log_lines (line text) PARTITION BY LIST (line);\nCREATE TABLE plain (line text);',
    );
    const options = { url: inject('databaseUrl'), directory: fixture.directory };
    expect(await schemaDifference(options)).toContain('DROP TABLE "plain"');
    const externalTables = ['public.log_lines', 'public.plain'];
    expect(await schemaDifference({ ...options, externalTables })).toBeUndefined();
  });
});
