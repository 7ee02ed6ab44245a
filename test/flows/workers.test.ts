import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Client,
  connectClient,
  countDeliveries,
  emitBadges,
  listDeliveries,
  subscribe,
} from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { answerAfter, compareWithLog } from '../support/ledger.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const SUBSCRIPTIONS = 5;
const EVENTS = 200;
const DELIVERIES = SUBSCRIPTIONS * EVENTS;

let database: TestDatabase;
let receiver: Receiver;
let client: Client;
const servers: RunningServer[] = [];

async function start(role: 'api' | 'worker'): Promise<RunningServer> {
  const server = await startServer({ ROLE: role, DATABASE_URL: database.ownerUrl });
  servers.push(server);
  return server;
}

async function emitToAll(): Promise<void> {
  for (let index = 0; index < SUBSCRIPTIONS; index += 1) await subscribe(client, receiver.url);
  await emitBadges(client, EVENTS);
}

async function allSucceeded(): Promise<void> {
  const succeeded = () => countDeliveries(client, 'SUCCEEDED');
  await expect.poll(succeeded, { interval: 200 }).toBe(DELIVERIES);
}

beforeEach(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await receiver.close();
  await database.drop();
});

describe('API and workers as processes of their own on one database', () => {
  it('start at the same time and deliver each event once to each subscription', async () => {
    const [api, worker] = await Promise.all([start('api'), start('worker'), start('worker')]);
    client = await connectClient(api);
    await emitToAll();
    await allSucceeded();
    expect(compareWithLog(receiver, await listDeliveries(client))).toEqual({ lost: [], repeated: 0 });
    expect(receiver.requests).toHaveLength(DELIVERIES);
    // A worker serves health alone.
    expect((await fetch(`${worker.url}/readyz`)).status).toBe(200);
    expect((await fetch(`${worker.url}/api/me`)).status).toBe(404);
  });

  it('deliver everything when the worker that has the lanes is killed (webhooks rule 13)', async () => {
    answerAfter(receiver, 100);
    const [api, first, second] = await Promise.all([start('api'), start('worker'), start('worker')]);
    client = await connectClient(api);
    // Frozen until the first one has taken all lanes.
    process.kill(-second.pid, 'SIGSTOP');
    await emitToAll();
    await receiver.received(DELIVERIES / 4);
    process.kill(-second.pid, 'SIGCONT');
    expect(await first.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    const seenBefore = receiver.requests.length;
    expect(seenBefore).toBeLessThan(DELIVERIES);

    // A lane is free again when its heartbeat of 10 s has passed.
    await allSucceeded();
    const log = await listDeliveries(client);
    const { lost, repeated } = compareWithLog(receiver, log);
    process.stdout.write(`killed after ${seenBefore} requests; ${repeated} came twice\n`);
    expect(lost).toEqual([]);
    // Only what was on the wire or not yet settled came twice: what was settled has no second attempt.
    expect(log.filter((delivery) => delivery.attempt_count !== 1)).toEqual([]);
    expect(repeated).toBeLessThanOrEqual(seenBefore);
  });
});
