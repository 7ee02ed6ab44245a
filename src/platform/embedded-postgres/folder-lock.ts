/**
 * One server per folder: a lock file that names its holder. A holder that was killed leaves its file behind;
 * the next server sees that this process no longer lives, even when its pid was given to another, and takes over.
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';
import { processIdentity } from './process-identity.ts';

const MAX_ATTEMPTS = 20;
const holderSchema = z.object({ pid: z.number(), process: z.string(), nonce: z.uuid() });
type Holder = z.infer<typeof holderSchema>;

export type FolderLock = { readonly release: () => void };

/**
 * Takes the lock of a folder, which must exist. Throws `CONFLICT` with the holder's pid while another holder
 * (in this process or another one) lives.
 */
export function lockFolder(directory: string): FolderLock {
  const path = join(directory, 'lock');
  const holder: Holder = { pid: process.pid, process: ownIdentity(), nonce: randomUUID() };
  const draft = `${path}.${holder.nonce}`;
  writeFileSync(draft, JSON.stringify(holder), { mode: 0o600 });
  try {
    take(path, draft, directory);
  } finally {
    rmSync(draft, { force: true });
  }
  return { release: () => releaseOwn(path, holder) };
}

/**
 * Links the finished draft to `path`: a link is made wholly or not at all, and never over another file.
 * The file of a dead holder is replaced under a lock of its own, named after that one holder's nonce: so of
 * several servers that find the same dead holder one replaces its file, and none removes a living one's.
 */
function take(path: string, draft: string, directory: string): void {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (linkOnce(draft, path)) {
      return;
    }
    const dead = deadHolder(path, directory);
    if (dead === undefined) {
      continue;
    }
    const guard = `${path}.${dead.nonce.slice(0, 8)}`;
    take(guard, draft, directory);
    try {
      if (readHolder(path)?.nonce === dead.nonce) {
        replace(path, draft);
        return;
      }
    } finally {
      rmSync(guard, { force: true });
    }
  }
  throw new AppError('CONFLICT', `The lock ${path} keeps changing hands: start again.`);
}

function replace(path: string, draft: string): void {
  const copy = `${draft}.copy`;
  linkSync(draft, copy);
  renameSync(copy, path);
}

function linkOnce(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

/** The holder that no longer lives, or undefined when the file is gone meanwhile; throws while the holder lives. */
function deadHolder(path: string, directory: string): Holder | undefined {
  const holder = readHolder(path);
  if (holder === undefined || processIdentity(holder.pid) !== holder.process) {
    return holder;
  }
  throw new AppError(
    'CONFLICT',
    `The database folder ${directory} is in use by another server (process ${holder.pid}). Stop that one, or give this one its own: set DATA_DIR to another folder or DATABASE_URL to a PostgreSQL, and PORT to a free port.`,
  );
}

function readHolder(path: string): Holder | undefined {
  const text = readIfPresent(path);
  if (text === undefined) {
    return undefined;
  }
  const parsed = holderSchema.safeParse(parseJson(text));
  // A file that is not ours (a full disk, a hand) names nobody who could be alive.
  return parsed.success
    ? parsed.data
    : { pid: 0, process: '', nonce: '00000000-0000-0000-0000-000000000000' };
}

function releaseOwn(path: string, holder: Holder): void {
  if (readHolder(path)?.nonce === holder.nonce) {
    rmSync(path, { force: true });
  }
}

function ownIdentity(): string {
  const identity = processIdentity(process.pid);
  if (identity === undefined) {
    throw new Error('This process does not find itself among the living.');
  }
  return identity;
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
