/**
 * Writes the next migration: what prisma/schema.prisma says more than prisma/migrations do.
 *
 *   node scripts/db-diff.ts add_nickname    writes prisma/migrations/<time>_add_nickname/migration.sql
 *   node scripts/db-diff.ts --check         prints the difference and exits 1 when there is one
 *
 * Replays the migrations on the PostgreSQL of DATABASE_URL, or on an embedded one made for the purpose.
 * `--directory <path>` names another folder than prisma/.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { AppError } from '../src/lib/errors.ts';
import { startEmbeddedPostgres } from '../src/platform/embedded-postgres/start.ts';
import { DEFAULT_LOCKFILE, LOCKFILE } from '../src/platform/migrate/migration-files.ts';
import { schemaDifference } from '../src/platform/migrate/schema-difference.ts';

const PRISMA = fileURLToPath(new URL('../prisma', import.meta.url));
const USAGE = 'Usage: npm run db:diff -- <name>, or npm run db:diff -- --check';
const NAME = /^[a-z][a-z0-9_]{0,99}$/;

type Command = { readonly directory: string; readonly name: string | undefined };

try {
  process.exitCode = await main(parseCommand(process.argv.slice(2)), process.env['DATABASE_URL']);
} catch (error) {
  if (!(error instanceof AppError)) {
    throw error;
  }
  console.error(error.message);
  process.exitCode = 2;
}

/** Returns the exit code. */
async function main({ directory, name }: Command, databaseUrl: string | undefined): Promise<number> {
  const externalTables = await externalTablesOf(directory);
  const sql = await withDatabase(databaseUrl, (url) => schemaDifference({ url, directory, externalTables }));
  if (sql === undefined) {
    console.log('The migrations and schema.prisma agree: there is no difference.');
    return 0;
  }
  if (name === undefined) {
    console.log(sql);
    console.error(
      'schema.prisma says more than the migrations do: write one with "npm run db:diff -- <name>".',
    );
    return 1;
  }
  const path = await writeMigration(directory, name, sql);
  console.log(`Wrote ${relative(process.cwd(), path)}: read it, then start the server to apply it.`);
  return 0;
}

/** The tables that only the migrations know stand where `prisma migrate` reads them too. */
async function externalTablesOf(directory: string): Promise<readonly string[]> {
  if (directory !== PRISMA) {
    return [];
  }
  const { default: config } = await import('../prisma.config.ts');
  return config.tables?.external ?? [];
}

function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const directory = values.directory ?? PRISMA;
  const [name, ...rest] = positionals;
  if (rest.length > 0 || (values.check === true) === (name !== undefined)) {
    throw new AppError('BAD_REQUEST', USAGE);
  }
  if (name !== undefined && !NAME.test(name)) {
    throw new AppError(
      'BAD_REQUEST',
      `"${name}" cannot name a migration: use lower-case letters, digits and underscores, a letter first, as in add_nickname.`,
    );
  }
  return { directory, name };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { check: { type: 'boolean' }, directory: { type: 'string' } },
    });
  } catch (cause) {
    throw new AppError('BAD_REQUEST', `${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`, {
      cause,
    });
  }
}

async function withDatabase<Result>(
  databaseUrl: string | undefined,
  use: (url: string) => Promise<Result>,
): Promise<Result> {
  if (databaseUrl !== undefined && databaseUrl !== '') {
    return use(databaseUrl);
  }
  const directory = await mkdtemp(join(tmpdir(), 'optio-db-diff-'));
  const log = { info: () => undefined, warn: report, error: report };
  try {
    const database = await startEmbeddedPostgres({ directory, log, durable: false });
    try {
      return await use(database.url);
    } finally {
      await database.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeMigration(directory: string, name: string, sql: string): Promise<string> {
  const migrations = join(directory, 'migrations');
  const timestamp = new Date().toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  const path = join(migrations, `${timestamp}_${name}`, 'migration.sql');
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, sql, { flag: 'wx' });
  // `prisma migrate` wants to find it beside them.
  await writeFile(join(migrations, LOCKFILE), DEFAULT_LOCKFILE, { flag: 'wx' }).catch(() => undefined);
  return path;
}

function report(fields: object, message: string): void {
  console.error(message, fields);
}
