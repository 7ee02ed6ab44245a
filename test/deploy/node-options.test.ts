/** What Node is told is the same however the server is started (docs/adr/0052). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startServer } from '../support/server.ts';
import { readText } from './repository.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const STARTS = [
  ['Dockerfile', /^CMD \["node", (.*), "src\/main\.ts"\]$/m],
  ['deploy/systemd/optio-connect@.service', /^ExecStart=\/usr\/bin\/node (.*) src\/main\.ts$/m],
] as const;

test.each(STARTS)('%s starts it as a worker is started, and keeps what was compiled', (path, pattern) => {
  const text = readText(path);
  const [, options = ''] = pattern.exec(text) ?? [];
  expect(options.replaceAll('"', '').split(/[ ,]+/)).toEqual(['--max-semi-space-size=16']);
  expect(text).toMatch(/\bNODE_COMPILE_CACHE=\S+/);
  expect(text).toMatch(/\bMALLOC_ARENA_MAX=2\b/);
});

test.each([
  ['worker', 16],
  ['all', 32],
])('npm start gives a %s %i MiB for young objects, and keeps what was compiled', (role, mebibytes) => {
  const said = packageJson.scripts.start.replace(/ node (?=--)/, ' echo ');
  expect(said).toMatch(/^exec env MALLOC_ARENA_MAX=2 NODE_COMPILE_CACHE=\S+ echo /);
  const options = execFileSync('sh', ['-c', said], { env: { ...process.env, ROLE: role }, encoding: 'utf8' });
  expect(options).toBe(`--max-semi-space-size=${mebibytes} src/main.ts\n`);
});

test('the servers of tests and benchmarks are started as npm start does it', async () => {
  const server = await startServer({ DATABASE_URL: database.ownerUrl, ROLE: 'worker' });
  const [, ...options] = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8').split('\0');
  expect(options).toEqual(['--max-semi-space-size=16', expect.stringMatching(/src\/main\.ts$/), '']);
  expect(readFileSync(`/proc/${server.pid}/environ`, 'utf8').split('\0')).toContain('MALLOC_ARENA_MAX=2');
  expect(await server.stop()).toEqual({ code: 0, signal: null });
});
