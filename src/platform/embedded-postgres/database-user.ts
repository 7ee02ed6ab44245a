/** PostgreSQL refuses to run as root: finds whom it runs as, and sees that this user reaches what it needs. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../lib/errors.ts';

const run = promisify(execFile);
const NAME = 'postgres';

export type DatabaseUser = { readonly uid: number; readonly gid: number };

/**
 * Whom to run PostgreSQL as: undefined means as ourselves, for we are not root. As root it is the owner of an
 * existing data folder, else the system's user `postgres`, which is created when missing.
 * Throws `UNAVAILABLE` when it cannot be created.
 */
export async function findDatabaseUser(dataDirectory: string): Promise<DatabaseUser | undefined> {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  const owner = await stat(dataDirectory).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) {
    return { uid: owner.uid, gid: owner.gid };
  }
  return (await lookUp()) ?? (await create());
}

/**
 * Throws `UNAVAILABLE`, naming the folder, when the user may not pass through one of the folders above `path`.
 * Our own user (undefined) is left to the system's judgement.
 */
export async function assertReachable(path: string, user: DatabaseUser | undefined): Promise<void> {
  if (user === undefined) {
    return;
  }
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!(await maySearch(folder, user))) {
      throw new AppError(
        'UNAVAILABLE',
        `As root PostgreSQL runs as user ${user.uid}, who may not pass through ${folder} to reach ${path}. Allow it ("chmod o+x ${folder}"), start as another user than root, set DATA_DIR to a folder elsewhere, or set DATABASE_URL.`,
      );
    }
    if (folder === dirname(folder)) {
      return;
    }
  }
}

async function maySearch(folder: string, user: DatabaseUser): Promise<boolean> {
  const { mode, uid, gid } = await stat(folder);
  if (uid === user.uid) {
    return (mode & 0o100) !== 0;
  }
  return (mode & (gid === user.gid ? 0o010 : 0o001)) !== 0;
}

async function lookUp(): Promise<DatabaseUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', NAME]), run('id', ['-g', NAME])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    // id exits 1 when there is no such user.
    return undefined;
  }
}

async function create(): Promise<DatabaseUser> {
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', NAME]);
  } catch (cause) {
    // Another server may have created it at the same moment.
    const user = await lookUp();
    if (user !== undefined) {
      return user;
    }
    throw new AppError(
      'UNAVAILABLE',
      `PostgreSQL does not run as root, and a user "${NAME}" could not be created: create it, start as another user than root, or set DATABASE_URL.`,
      { cause },
    );
  }
  const user = await lookUp();
  if (user === undefined) {
    throw new AppError('UNAVAILABLE', `The user "${NAME}" was created but is not found.`);
  }
  return user;
}
