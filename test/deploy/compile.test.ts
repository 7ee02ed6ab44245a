/** What the image has compiled when it is made is all that its server loads (scripts/compile.ts). */
import { spawnSync } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/server.ts';

const COMPILE = fileURLToPath(new URL('../../scripts/compile.ts', import.meta.url));

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await scratchFolder('optio-compiled-');
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

function compile(environment: Readonly<Record<string, string>>) {
  return spawnSync(process.execPath, [COMPILE], { env: environment, encoding: 'utf8' });
}

test('a server finds everything compiled that it loads, in any role', async () => {
  expect(compile({ NODE_COMPILE_CACHE: folder })).toMatchObject({ status: 0, stdout: '', stderr: '' });
  const compiled = new Set(await readdir(folder, { recursive: true }));
  expect(compiled.size).toBeGreaterThan(1_000);
  for (const ROLE of ['worker', 'all']) {
    const server = await startServer({
      DATABASE_URL: database.ownerUrl,
      NODE_COMPILE_CACHE: folder,
      SMTP_URL: 'smtp://127.0.0.1:9',
      MAIL_FROM: 'connect@optio.example',
      ROLE,
    });
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  }
  const later = await readdir(folder, { recursive: true });
  expect(later.filter((path) => !compiled.has(path))).toEqual([]);
});

test('compiling says when it has no folder to write to', () => {
  const { status, stderr } = compile({});
  expect(status).toBe(1);
  expect(stderr).toContain('NODE_COMPILE_CACHE');
});
