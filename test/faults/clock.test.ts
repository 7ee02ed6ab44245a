/** A worker on a machine whose clock is wrong, and jumps (webhooks rule 17). */
import { rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connectClient, emitBadges, subscribe } from '../support/client.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { type RunningServer, startServer } from '../support/server.ts';
import { type BookKeeper, openBooks } from './book-keeper.ts';

const HOUR_MS = 3_600_000;
const RETRY_SECONDS = 60;

let folder: string;
let database: TestDatabase;
let books: BookKeeper;
let api: RunningServer;
let worker: RunningServer;
let client: Client;

beforeAll(async () => {
  folder = await scratchFolder('optio-clock-');
  database = await createTestDatabase();
  books = await openBooks(({ path }) => ({ status: path === '/busy' ? 503 : 200 }));
  const DATABASE_URL = database.ownerUrl;
  const turnable = {
    CLOCK_FILE: `${folder}/clock`,
    NODE_OPTIONS: `--import=${fileURLToPath(new URL('turned-clock.ts', import.meta.url))}`,
  };
  api = await startServer({ ROLE: 'api', DATABASE_URL });
  worker = await startServer({
    ROLE: 'worker',
    DATABASE_URL,
    WEBHOOK_RETRY_SECONDS: `${RETRY_SECONDS}`,
    ...turnable,
  });
  client = await connectClient(api);
  for (const path of ['/busy', '/ready']) await subscribe(client, books.urlOf(path));
});
afterAll(async () => {
  await Promise.all([api.stop(), worker.stop()]);
  await books.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function turnClock(hours: number): Promise<void> {
  await writeFile(`${folder}/clock`, String(hours * HOUR_MS));
  process.kill(worker.pid, 'SIGUSR2');
}

describe('a worker whose clock jumps (webhooks rule 17)', () => {
  it.each([[-1], [25], [-25]])(
    'by %i hours sends at once what is due, and not again what is not due',
    async (hours) => {
      const [ready, busy] = ['/ready', '/busy'].map((path) => books.entriesOf(path).length);
      await turnClock(hours);
      await emitBadges(client, 1);
      // The second one shows that it claimed again after the result of the first was written.
      await books.received('/ready', Number(ready) + 1);
      await books.received('/busy', Number(busy) + 1);
      await emitBadges(client, 1);
      await books.received('/ready', Number(ready) + 2);
      await books.received('/busy', Number(busy) + 2);
      expect(books.entriesOf('/busy')).toHaveLength(Number(busy) + 2);
    },
  );

  it('sends nothing twice, and sets retries by the time of the database', async () => {
    const retries = () =>
      query(
        database.ownerUrl,
        `SELECT extract(epoch FROM due_at - now())::float8 AS seconds FROM deliveries WHERE status = 'RETRYING'`,
      );
    await expect.poll(async () => (await retries()).length).toBe(6);
    for (const { seconds } of await retries()) {
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(RETRY_SECONDS * 1.2);
    }
    const ids = books.entries().map(({ deliveryId }) => deliveryId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
