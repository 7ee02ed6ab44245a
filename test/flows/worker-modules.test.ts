/** What a worker keeps in memory begins with what it loads (docs/adr/0052). */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/server.ts';

const ROOT = new URL('../..', import.meta.url).href;
const NOTE_MODULES = new URL('../support/note-modules.ts', import.meta.url).href;

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await scratchFolder('optio-modules-');
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Everything that a process of this role loads from its start to its end, from the root of the repository. */
async function loadedBy(role: string): Promise<readonly string[]> {
  const path = join(folder, role);
  const server = await startServer({
    DATABASE_URL: database.ownerUrl,
    ROLE: role,
    NODE_OPTIONS: `--import ${NOTE_MODULES}`,
    NOTE_MODULES: path,
  });
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  const urls = (await readFile(path, 'utf8')).split('\n');
  return urls.filter((url) => url.startsWith(ROOT)).map((url) => url.slice(ROOT.length));
}

/** What only people and programs that call need. */
const OF_DOORS =
  /^src\/(doors|door-routes|graphql|rest|learning|accounts\/pages|platform\/pages|generated\/prisma\/(client|internal))\b|^node_modules\/(graphql|graphql-\w+|@pothos|@graphql-yoga|@hono\/zod-openapi|swagger-ui-dist|ws|nodemailer|@opentelemetry\/sdk-[\w-]+|@prisma\/schema-engine-wasm)\//;

test('a worker loads nothing of the doors, of Prisma’s client and of what is not set up', async () => {
  const loaded = await loadedBy('worker');
  expect(loaded).toContain('src/webhooks/pump.ts');
  expect(loaded.filter((path) => OF_DOORS.test(path))).toEqual([]);
});

test('an API process loads them', async () => {
  const loaded = await loadedBy('api');
  expect(loaded).toEqual(
    expect.arrayContaining(['src/graphql/server.ts', 'src/rest/routes.ts', 'src/generated/prisma/client.ts']),
  );
});
