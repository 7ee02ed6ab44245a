/** Brings a database to the state of the migrations folder, at every start of a server. */
import type {
  DiagnoseMigrationHistoryOutput,
  SchemaEngine,
} from '@prisma/schema-engine-wasm/schema_engine_bg';
import type { Client } from 'pg';
import { AppError } from '../../lib/errors.ts';
import type { RunScript } from './engine-adapter.ts';
import { interrupted, isUpToDate, readHistory } from './history.ts';
import { type MigrationFolder, readMigrations, toMigrationList } from './migration-files.ts';
import { checkOwnerRights } from './owner-rights.ts';
import { withOwnerSession, withStartLock } from './owner-session.ts';
import { runMigrationScript } from './run-script.ts';
import { engineMessage, FILTERS, withSchemaEngine } from './schema-engine.ts';
import { checkServerVersion } from './server-version.ts';

/** The key is fixed in the engine; a waiter of its own gives up after ten seconds. */
const ENGINE_LOCK = 72_707_369;

export type MigrateOptions = {
  /** Of the owner; the migrations make tables, policies and roles. */
  readonly url: string;
  /** Holds `migrations/`, as `prisma migrate` lays it out. */
  readonly directory: string;
  readonly log: { readonly info: (fields: object, message: string) => void };
};

export type MigrateResult = { readonly applied: readonly string[] };

/**
 * Applies the migrations that the database lacks and names them. When there are none this costs two queries.
 * Processes that start at the same time wait for each other, however long a migration takes.
 * Throws `UNAVAILABLE` when the database cannot be reached, is older than PostgreSQL 15, or refuses a script
 * (nothing of that migration is left, the ones before it stay); `CONFLICT` when an applied migration was
 * edited, is missing in the folder, or was begun by another tool and not finished.
 */
export async function migrate({ url, directory, log }: MigrateOptions): Promise<MigrateResult> {
  const folder = await readMigrations(directory);
  return withOwnerSession(url, async (client) => {
    await checkServerVersion(client);
    if (isUpToDate(await readHistory(client), folder.migrations)) {
      return { applied: [] };
    }
    return withStartLock(client, {
      work: () => migrateLocked({ client, url, folder, log }),
      onWait: () => log.info({}, 'another process migrates the database; waiting for it'),
    });
  });
}

type LockedOptions = {
  readonly client: Client;
  readonly url: string;
  readonly folder: MigrationFolder;
  readonly log: MigrateOptions['log'];
};

async function migrateLocked({ client, url, folder, log }: LockedOptions): Promise<MigrateResult> {
  await waitForEngines(client);
  const history = await readHistory(client);
  if (isUpToDate(history, folder.migrations)) {
    return { applied: [] };
  }
  await checkOwnerRights(client);
  const failures: string[] = [];
  const runScript: RunScript = (pool, script) =>
    runMigrationScript(pool, script, (said) => failures.push(said));
  return withSchemaEngine({ url, runScript }, async (engine) => {
    for (const migrationName of interrupted(history)) {
      log.info(
        { migration: migrationName },
        'a migration was interrupted and left nothing; running it again',
      );
      await engine.markMigrationRolledBack({ migrationName });
    }
    await assertApplicable(engine, folder);
    const applied = await apply(engine, folder, () => explain(engine, client, failures));
    log.info({ applied }, 'migrated the database');
    return { applied };
  });
}

/**
 * When a process is killed in the middle, PostgreSQL works on at its script for a while, and may well finish
 * it. The session holds the engine's lock until then, as a `prisma migrate` by hand does.
 */
async function waitForEngines(client: Client): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [ENGINE_LOCK]);
  await client.query('SELECT pg_advisory_unlock($1)', [ENGINE_LOCK]);
}

async function apply(
  engine: SchemaEngine,
  folder: MigrationFolder,
  explainFailure: () => Promise<string>,
): Promise<readonly string[]> {
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: toMigrationList(folder),
      filters: FILTERS,
    });
    return appliedMigrationNames;
  } catch (cause) {
    throw new AppError(
      'UNAVAILABLE',
      (await explainFailure()) || `The database could not be migrated: ${engineMessage(cause)}`,
      { cause },
    );
  }
}

/** Names the script that failed, and clears the way for the corrected one; empty when it was no script. */
async function explain(engine: SchemaEngine, client: Client, failures: readonly string[]): Promise<string> {
  const history = await readHistory(client);
  const failed = history.find((row) => !row.isFinished && !row.isRolledBack);
  const [said] = failures;
  if (failed === undefined || said === undefined) {
    return '';
  }
  await engine.markMigrationRolledBack({ migrationName: failed.name });
  return `The migration ${failed.name} failed and left nothing behind: ${said}. Correct its migration.sql, or the database, and start again.`;
}

/** Refuses a history that does not fit: the engine itself would apply the rest without a word. */
async function assertApplicable(engine: SchemaEngine, folder: MigrationFolder): Promise<void> {
  const diagnosis = await engine.diagnoseMigrationHistory({
    migrationsList: toMigrationList(folder),
    optInToShadowDatabase: false,
    filters: FILTERS,
  });
  // First, for its script may have been corrected meanwhile, and then counts as edited too.
  const [failed] = diagnosis.failedMigrationNames;
  if (failed !== undefined) {
    throw new AppError('CONFLICT', failedMessage(failed));
  }
  const [edited] = diagnosis.editedMigrationNames;
  if (edited !== undefined) {
    throw new AppError(
      'CONFLICT',
      `The migration ${edited} was changed after it had been applied to this database. Restore its migration.sql as it was, and put the change into a new migration.`,
    );
  }
  const [missing] = unpersisted(diagnosis);
  if (missing !== undefined) {
    throw new AppError(
      'CONFLICT',
      `The database has had the migration ${missing}, which ${folder.path} does not hold: a newer server has used this database. Start that version, or restore the migration's folder.`,
    );
  }
}

function unpersisted({ history }: DiagnoseMigrationHistoryOutput): readonly string[] {
  return history === null || history.diagnostic === 'databaseIsBehind'
    ? []
    : history.unpersistedMigrationNames;
}

function failedMessage(name: string): string {
  return `The migration ${name} was begun and not finished by another tool, and may be there in part. See what is there, and undo it; then say so with "npx prisma migrate resolve --rolled-back ${name}", or in SQL: UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${name}' AND finished_at IS NULL. Then start again.`;
}
