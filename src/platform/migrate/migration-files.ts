/** The migrations of a folder as `prisma migrate` lays them out: `migrations/<timestamp>_<name>/migration.sql`. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { AppError } from '../../lib/errors.ts';

const SCRIPT = 'migration.sql';
export const LOCKFILE = 'migration_lock.toml';
/** What `prisma migrate` wants to find in that file, and the engine where it is missing. */
export const DEFAULT_LOCKFILE = 'provider = "postgresql"\n';

export type Migration = {
  readonly name: string;
  readonly script: string;
  /** SHA-256 of the script in hex, as Prisma keeps it. */
  readonly checksum: string;
};

export type MigrationFolder = {
  readonly path: string;
  readonly lockfile: string | null;
  /** In the order in which they are applied. */
  readonly migrations: readonly Migration[];
};

/** Reads `<directory>/migrations`; a missing folder holds no migrations. */
export async function readMigrations(directory: string): Promise<MigrationFolder> {
  const path = join(directory, 'migrations');
  const entries = await readdir(path, { withFileTypes: true }).catch(emptyWhenMissing);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const migrations = await Promise.all(names.toSorted().map((name) => readMigration(path, name)));
  const hasLockfile = entries.some((entry) => entry.name === LOCKFILE);
  return {
    path,
    lockfile: hasLockfile ? await readFile(join(path, LOCKFILE), 'utf8') : null,
    migrations,
  };
}

/** SHA-256 of a script in hex. */
export function checksumOf(script: string): string {
  return createHash('sha256').update(script).digest('hex');
}

/** The form that the schema engine takes. */
export function toMigrationList(folder: MigrationFolder): MigrationList {
  return {
    baseDir: folder.path,
    lockfile: { path: LOCKFILE, content: folder.lockfile ?? DEFAULT_LOCKFILE },
    shadowDbInitScript: '',
    migrationDirectories: folder.migrations.map(({ name, script }) => ({
      path: name,
      migrationFile: { path: SCRIPT, content: { tag: 'ok', value: script } },
    })),
  };
}

async function readMigration(path: string, name: string): Promise<Migration> {
  const script = await readFile(join(path, name, SCRIPT), 'utf8').catch((cause: unknown) => {
    throw new AppError(
      'UNAVAILABLE',
      `The migration ${name} cannot be read: its folder must hold ${SCRIPT} (${String(cause)}).`,
      { cause },
    );
  });
  return { name, script, checksum: checksumOf(script) };
}

function emptyWhenMissing(error: unknown): [] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
    return [];
  }
  throw error;
}
