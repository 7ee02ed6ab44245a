/** One run of the PostgreSQL server program: spawning, waiting until it serves, ending. */
import { spawn } from 'node:child_process';
import { closeSync, fchownSync, openSync } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { AppError } from '../../lib/errors.ts';
import type { Binaries } from './binaries.ts';
import { type Folder, PROGRAM_ENVIRONMENT } from './cluster.ts';
import { disarmPidFile, readPidFile } from './pid-file.ts';
import { processIdentity } from './process-identity.ts';
import { postgresArguments, type Tuning } from './settings.ts';

const POLL_MS = 10;
const WATCH_MS = 250;
const READY_WITHIN_MS = 120_000;
const ATTEMPTS = 10;
const MAX_LOG_BYTES = 5_000_000;
const LOG_TAIL_BYTES = 4096;
// Both pass by themselves: the port went to another program between our choice and the start, or processes
// of a PostgreSQL that was killed are still ending.
const PASSING_FAILURE = /Address already in use|could not create any TCP\/IP sockets|shared memory block/;

export type Postmaster = {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the process has ended, with the way it ended in words. */
  readonly exited: Promise<string>;
};

export type LaunchOptions = {
  readonly folder: Folder;
  readonly binaries: Binaries;
  readonly tuning: Tuning;
  /** Without it a free one is chosen. */
  readonly port?: number;
};

/** Starts PostgreSQL and waits until it accepts connections. Throws `UNAVAILABLE` with what it said. */
export async function launch(options: LaunchOptions): Promise<Postmaster> {
  await rotateLog(options.folder.logFile);
  for (let attempt = 1; ; attempt++) {
    await disarmPidFile(options.folder.data);
    const port = options.port ?? (await freePort());
    const logStart = await sizeOf(options.folder.logFile);
    const postmaster = spawnPostmaster(options, port);
    const failure = await waitUntilReady(postmaster, options.folder);
    if (failure === undefined) {
      return postmaster;
    }
    const said = await readFrom(options.folder.logFile, logStart);
    if (attempt === ATTEMPTS || !PASSING_FAILURE.test(said)) {
      throw new AppError(
        'UNAVAILABLE',
        `PostgreSQL in ${options.folder.path} did not start (${failure}): ${said}`,
      );
    }
    await pause(50 * attempt);
  }
}

/** A process that we did not start but look after from now on. */
export function watchProcess(pid: number, port: number): Postmaster {
  return { pid, port, exited: waitForEnd(pid) };
}

/** Signals one after the other, each with the time it has to work, in milliseconds; resolves when the process is gone. */
export async function end(pid: number, steps: ShutdownSteps): Promise<void> {
  const isGone = goneCheck(pid);
  for (const [signal, waitMs] of steps) {
    if (isGone()) {
      return;
    }
    kill(pid, signal);
    for (let waitedMs = 0; waitedMs < waitMs && !isGone(); waitedMs += POLL_MS) {
      await pause(POLL_MS);
    }
  }
}

type ShutdownSteps = readonly (readonly [signal: NodeJS.Signals, waitMs: number])[];

/** SIGINT disconnects the clients and shuts down cleanly; the rest is for one that hangs. */
export const FAST_SHUTDOWN: ShutdownSteps = [
  ['SIGINT', 30_000],
  ['SIGQUIT', 5000],
  ['SIGKILL', 5000],
];

/** For one that does not answer: it stops as it is, and recovers at the next start. */
export const ORPHAN_SHUTDOWN: ShutdownSteps = [
  ['SIGQUIT', 3000],
  ['SIGKILL', 5000],
];

function spawnPostmaster({ folder, binaries, tuning }: LaunchOptions, port: number): Postmaster {
  // A file, not a pipe: it goes on when we are killed and PostgreSQL is not.
  const log = openSync(folder.logFile, 'a', 0o600);
  if (folder.user !== undefined) {
    fchownSync(log, folder.user.uid, folder.user.gid);
  }
  const child = spawn(binaries.postgres, postgresArguments(folder.data, port, tuning), {
    ...folder.user,
    env: PROGRAM_ENVIRONMENT,
    cwd: folder.path,
    stdio: ['ignore', log, log],
    // A session of its own: what ends our process group, Ctrl-C for one, does not reach it.
    detached: true,
  });
  closeSync(log);
  // A program that is done ends, whether PostgreSQL was stopped or not.
  child.unref();
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `code ${code}` : `signal ${signal}`));
  });
  return { pid: child.pid ?? 0, port, exited };
}

/** Undefined when it serves, else the way it ended. */
async function waitUntilReady(postmaster: Postmaster, folder: Folder): Promise<string | undefined> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    const how = await Promise.race([postmaster.exited, pause(POLL_MS, undefined)]);
    if (how !== undefined) {
      return how;
    }
    const recorded = await readPidFile(folder.data);
    if (recorded?.pid === postmaster.pid && recorded.isReady) {
      return undefined;
    }
  }
  await end(postmaster.pid, FAST_SHUTDOWN);
  return `not ready after ${READY_WITHIN_MS / 1000} seconds`;
}

async function waitForEnd(pid: number): Promise<string> {
  const isGone = goneCheck(pid);
  while (!isGone()) {
    await pause(WATCH_MS, undefined, { ref: false });
  }
  return 'not our child, so its exit code is unknown';
}

function goneCheck(pid: number): () => boolean {
  const identity = processIdentity(pid);
  return () => identity === undefined || processIdentity(pid) !== identity;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') {
    throw new Error('A listening TCP server has a port.');
  }
  return address.port;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) {
      throw error;
    }
  }
}

async function rotateLog(path: string): Promise<void> {
  if ((await sizeOf(path)) > MAX_LOG_BYTES) {
    await rename(path, `${path}.1`);
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function readFrom(path: string, position: number): Promise<string> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, position);
  return buffer.toString('utf8', 0, bytesRead).trim();
}
