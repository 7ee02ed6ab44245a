import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectClient, countDeliveries, emitBadges, listDeliveries, subscribe } from '../support/client.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { answerAfter, compareWithLog } from '../support/ledger.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createDataDirectory, type Environment, type RunningServer, startServer } from '../support/server.ts';

const LANES_HELD = "SELECT id FROM pgboss.job WHERE name = 'lane' AND state = 'active'";
const SUBSCRIPTIONS = 5;
const EVENTS = 200;
const DELIVERIES = SUBSCRIPTIONS * EVENTS;
// What a quiet machine may take to start or to stop.
const SOON_MS = 5_000;

let database: TestDatabase;
let receiver: Receiver;
let server: RunningServer;
let startMs: number;

async function start(settings: Environment): Promise<void> {
  const startedAt = performance.now();
  server = await startServer(settings);
  startMs = performance.now() - startedAt;
}

/** A stop is a small part of the work of a start, on every machine: one that takes longer waited for something. */
async function expectQuickStop(): Promise<void> {
  const startedAt = performance.now();
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedAt).toBeLessThan(Math.max(SOON_MS, startMs));
}

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  answerAfter(receiver, 50);
});

afterEach(async () => {
  await server.stop();
  await receiver.close();
  await database.drop();
});

describe('SIGTERM under load (webhooks rule 16)', () => {
  it('finishes and records what is in flight, exits 0, and leaves the rest to the next start', async () => {
    await start({ DATABASE_URL: database.ownerUrl });
    const client = await connectClient(server);
    for (let index = 0; index < SUBSCRIPTIONS; index += 1) await subscribe(client, receiver.url);
    await emitBadges(client, EVENTS);
    await receiver.received(DELIVERIES / 4);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    const sentBefore = receiver.requests.length;
    expect(sentBefore).toBeLessThan(DELIVERIES);

    // Nothing has to time out first: it gave its lanes back.
    expect(await query(database.ownerUrl, LANES_HELD)).toEqual([]);

    await start({ DATABASE_URL: database.ownerUrl });
    const again = await connectClient(server);
    const succeeded = () => countDeliveries(again, 'SUCCEEDED');
    await expect.poll(succeeded, { interval: 100 }).toBe(DELIVERIES);

    const log = await listDeliveries(again);
    // Whatever was sent before the stop was recorded: nothing is sent twice.
    expect(compareWithLog(receiver, log)).toEqual({ lost: [], repeated: 0 });
    expect(receiver.requests).toHaveLength(DELIVERIES);
    expect(log.filter((delivery) => delivery.attempt_count !== 1)).toEqual([]);
  });

  it('ends at once when nothing is in flight, and warns of nothing', async () => {
    const data = await createDataDirectory();
    onTestFinished(data.remove);
    await start({ DATA_DIR: data.path });
    await expectQuickStop();
    expect(server.output()).not.toMatch(/\b(WARN|ERROR)\b/);
  });

  it('is not kept from ending by open connections and streams', async () => {
    await start({ DATABASE_URL: database.ownerUrl });
    const client = await connectClient(server);
    const stream = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${client.token}`,
        accept: 'text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ query: 'subscription { deliveryUpdates { __typename } }' }),
    });
    expect(stream.status).toBe(200);
    await expectQuickStop();
    await stream.body?.cancel().catch(() => undefined);
  });
});
