/** The folder of an embedded database on disk: its password, its first initialization, its version. */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chown, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../lib/errors.ts';
import type { Binaries } from './binaries.ts';
import { assertReachable, type DatabaseUser, findDatabaseUser } from './database-user.ts';

const run = promisify(execFile);
const DRAFT_PREFIX = 'data.initializing-';

/** The superuser that owns the database. */
export const OWNER = 'optio_owner';

/** What PostgreSQL's programs get to see of the environment: none of our settings, messages in English. */
export const PROGRAM_ENVIRONMENT: Readonly<Record<string, string>> = { LC_ALL: 'C', PATH: '/usr/bin:/bin' };

export type Folder = {
  /** Absolute, without symbolic links. */
  readonly path: string;
  readonly data: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly user: DatabaseUser | undefined;
};

/**
 * Makes the folder where it is missing and gives it to the user that PostgreSQL runs as; nobody else may enter.
 * Throws `UNAVAILABLE` when it cannot be made, or that user cannot reach it or the programs.
 */
export async function openFolder(directory: string, binaries: Binaries): Promise<Folder> {
  await makeFolder(directory);
  const path = await realpath(directory);
  const data = join(path, 'data');
  await assertAccess(path);
  const user = await findDatabaseUser(data);
  await assertReachable(path, user);
  await assertReachable(await realpath(binaries.postgres), user);
  if (user !== undefined) {
    await chown(path, user.uid, user.gid);
  }
  return { path, data, passwordFile: join(path, 'password'), logFile: join(path, 'postgres.log'), user };
}

async function makeFolder(directory: string): Promise<void> {
  try {
    // The folders above as usual, for others may have to pass through them; only the folder itself is closed.
    await mkdir(dirname(directory), { recursive: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new AppError(
      'UNAVAILABLE',
      `The database folder ${directory} cannot be made: ${String(cause)}. Set DATA_DIR to a folder that can, or DATABASE_URL.`,
      { cause },
    );
  }
}

/**
 * Initializes the database where there is none (0.6 s) and returns the owner's password.
 * The caller holds the folder's lock. Throws `UNAVAILABLE` when the data are of another major version,
 * when the password is lost, or when the initialization fails; then nothing is left of it.
 */
export async function prepareCluster(
  folder: Folder,
  binaries: Binaries,
  isDurable: boolean,
): Promise<string> {
  const version = await readIfPresent(join(folder.data, 'PG_VERSION'));
  if (version === undefined) {
    return initialize(folder, binaries, isDurable);
  }
  assertVersion(folder, version.trim(), binaries.majorVersion);
  const password = await readIfPresent(folder.passwordFile);
  if (password === undefined) {
    throw new AppError(
      'UNAVAILABLE',
      `The database in ${folder.data} is there, but the file with its password, ${folder.passwordFile}, is not: restore it from the backup, or set DATA_DIR to a new folder.`,
    );
  }
  return password.trim();
}

/** Works in a draft folder that is renamed at the end: a start that was killed in between leaves no half database. */
async function initialize(folder: Folder, binaries: Binaries, isDurable: boolean): Promise<string> {
  await removeDrafts(folder);
  const draft = join(folder.path, `${DRAFT_PREFIX}${randomUUID()}`);
  const password = randomBytes(32).toString('base64url');
  await writeFile(folder.passwordFile, `${password}\n`, { mode: 0o600, flush: true });
  if (folder.user !== undefined) {
    await chown(folder.passwordFile, folder.user.uid, folder.user.gid);
  }
  try {
    await run(binaries.initdb, initdbArguments(draft, folder.passwordFile, isDurable), {
      ...folder.user,
      env: PROGRAM_ENVIRONMENT,
      cwd: folder.path,
    });
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    throw initializationError(folder, cause);
  }
  await rename(draft, folder.data);
  return password;
}

function initdbArguments(draft: string, passwordFile: string, isDurable: boolean): string[] {
  return [
    `--pgdata=${draft}`,
    `--username=${OWNER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own C.UTF-8: sorts by code point, folds all of Unicode, the same on every system.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...(isDurable ? [] : ['--no-sync']),
  ];
}

async function removeDrafts(folder: Folder): Promise<void> {
  const names = await readdir(folder.path);
  const drafts = names.filter((name) => name.startsWith(DRAFT_PREFIX));
  await Promise.all(drafts.map((name) => rm(join(folder.path, name), { recursive: true, force: true })));
}

function assertVersion(folder: Folder, found: string, expected: string): void {
  if (found === expected) {
    return;
  }
  throw new AppError(
    'UNAVAILABLE',
    `The database in ${folder.data} was made by PostgreSQL ${found}, but this server brings PostgreSQL ${expected}, which cannot read it. Dump it with PostgreSQL ${found} (pg_dump) and restore it into a new folder, or set DATA_DIR to a new folder or DATABASE_URL to a PostgreSQL that holds the data.`,
  );
}

/** When we are not root, a folder of somebody else would fail later with less to say. */
async function assertAccess(path: string): Promise<void> {
  const uid = process.getuid?.() ?? 0;
  const owner = (await stat(path)).uid;
  if (uid !== 0 && uid !== owner) {
    throw new AppError(
      'UNAVAILABLE',
      `The database folder ${path} belongs to user ${owner}, but this server runs as user ${uid}: start it as that user, or set DATA_DIR to another folder.`,
    );
  }
}

function initializationError(folder: Folder, cause: unknown): AppError {
  const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
  const hint = said.includes('shared librar')
    ? ' Its install script did not run: "npm rebuild" runs it.'
    : '';
  return new AppError(
    'UNAVAILABLE',
    `PostgreSQL could not make a database in ${folder.path}: ${said}${hint}`,
    { cause },
  );
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
