import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../../src/platform/embedded-postgres/folder-lock.ts';
import { processIdentity } from '../../../src/platform/embedded-postgres/process-identity.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/platform/embedded-postgres/start.ts';
import { query } from '../../support/database.ts';
import { scratchFolder } from '../../support/scratch-folder.ts';
import {
  killGroup,
  postmasterPid,
  type RecordingLog,
  readLines,
  recordingLog,
  runProgram,
} from './scratch.ts';

let directory: string;
let log: RecordingLog;
const started: EmbeddedPostgres[] = [];

beforeEach(async () => {
  directory = await scratchFolder('optio-embedded-');
  log = recordingLog();
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((database) => database.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const database = await startEmbeddedPostgres({ directory, log });
  started.push(database);
  return database;
}

/** Runs a server that writes, kills it in the middle, and returns the last row it knew to be committed. */
async function writeAndKill(maxConnections = 200): Promise<number> {
  const server = runProgram('writing-server.ts', directory, String(maxConnections));
  const lines = await readLines(server, 50);
  await killGroup(server);
  return Number(lines.at(-1));
}

async function committed(url: string): Promise<number> {
  const [row] = await query(url, 'SELECT max(number) AS last, count(*)::int AS count FROM written');
  // No row is missing in between.
  expect(row?.['count']).toBe(row?.['last']);
  return Number(row?.['last']);
}

/** Ends a PostgreSQL as a crash does, and waits for it. */
async function crash(pid: number): Promise<void> {
  const identity = processIdentity(pid);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => processIdentity(pid) === identity).toBe(false);
}

describe('after kill -9 of the server and its process group, while writing', () => {
  it('adopts the PostgreSQL that lives on, with every committed row', async () => {
    const last = await writeAndKill();
    const orphan = await postmasterPid(directory);
    const { url } = await start();
    expect(await committed(url)).toBeGreaterThanOrEqual(last);
    expect(await postmasterPid(directory)).toBe(orphan);
    expect(log.messages).toMatchObject([{ level: 'info', message: expect.stringContaining('adopted') }]);
  });

  it('ends the adopted PostgreSQL at the stop, and starts it again should it die before', async () => {
    await writeAndKill();
    const orphan = await postmasterPid(directory);
    const { url, stop } = await start();
    await crash(orphan);
    await log.said('runs again');
    expect(await committed(url)).toBeGreaterThan(0);
    const successor = await postmasterPid(directory);
    await stop();
    expect(processIdentity(successor)).toBeUndefined();
  });

  it('replaces a PostgreSQL that runs with other settings', async () => {
    const last = await writeAndKill(50);
    const orphan = await postmasterPid(directory);
    const { url } = await start();
    expect(processIdentity(orphan)).toBeUndefined();
    expect(await query(url, 'SHOW max_connections')).toEqual([{ max_connections: '200' }]);
    expect(await committed(url)).toBeGreaterThanOrEqual(last);
  });

  it('ends a PostgreSQL that does not answer, and starts anew', async () => {
    const last = await writeAndKill();
    const orphan = await postmasterPid(directory);
    process.kill(orphan, 'SIGSTOP');
    const { url } = await start();
    expect(processIdentity(orphan)).toBeUndefined();
    expect(await committed(url)).toBeGreaterThanOrEqual(last);
  });

  it('recovers when PostgreSQL was killed too', async () => {
    const last = await writeAndKill();
    await crash(await postmasterPid(directory));
    const { url } = await start();
    expect(await committed(url)).toBeGreaterThanOrEqual(last);
  });

  it('recovers when the pid of the killed PostgreSQL now belongs to another program', async () => {
    const last = await writeAndKill();
    await crash(await postmasterPid(directory));
    const path = join(directory, 'data/postmaster.pid');
    const [, ...rest] = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, [String(process.pid), ...rest].join('\n'));
    const { url } = await start();
    expect(await committed(url)).toBeGreaterThanOrEqual(last);
  });
});

describe('the lock of a folder', () => {
  it('is taken over from a process that no longer lives', async () => {
    const holder = runProgram('lock-holder.ts', directory);
    expect(await readLines(holder, 1)).toEqual(['held']);
    expect(() => lockFolder(directory)).toThrow(`process ${holder.pid}`);
    await killGroup(holder);
    const lock = lockFolder(directory);
    expect(() => lockFolder(directory)).toThrow(`process ${process.pid}`);
    lock.release();
  });

  it('is taken over when the pid of the dead holder was given to another process', async () => {
    const dead = {
      pid: process.pid,
      process: 'another boot 1',
      nonce: '6f0e2a52-52a5-4a4c-8f3c-2f0a3d1b9c10',
    };
    await writeFile(join(directory, 'lock'), JSON.stringify(dead));
    const lock = lockFolder(directory);
    expect(() => lockFolder(directory)).toThrow(`process ${process.pid}`);
    lock.release();
  });

  it('is taken over when its file was damaged', async () => {
    await writeFile(join(directory, 'lock'), '');
    const lock = lockFolder(directory);
    expect(() => lockFolder(directory)).toThrow(`process ${process.pid}`);
    lock.release();
  });

  it('goes to exactly one of several that find a dead holder at the same time', async () => {
    const dead = { pid: 1, process: 'another boot 1', nonce: '6f0e2a52-52a5-4a4c-8f3c-2f0a3d1b9c10' };
    await writeFile(join(directory, 'lock'), JSON.stringify(dead));
    const holders = Array.from({ length: 8 }, () => runProgram('lock-holder.ts', directory));
    const answers = await Promise.all(holders.map((holder) => readLines(holder, 1)));
    await Promise.all(
      holders.map((holder) => {
        holder.stdin?.end();
        return once(holder, 'exit');
      }),
    );
    expect(answers.flat().toSorted()).toEqual([...Array<string>(7).fill('CONFLICT'), 'held']);
  });

  it('does not free the lock that another one took meanwhile', async () => {
    const lock = lockFolder(directory);
    const other = {
      pid: process.pid,
      process: processIdentity(process.pid),
      nonce: '6f0e2a52-52a5-4a4c-8f3c-2f0a3d1b9c10',
    };
    await writeFile(join(directory, 'lock'), JSON.stringify(other));
    lock.release();
    expect(() => lockFolder(directory)).toThrow('in use by another server');
  });
});
