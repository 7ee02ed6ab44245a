import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { postmasterPid } from '../platform/embedded-postgres/scratch.ts';
import { connectClient, countDeliveries, emitBadges, listDeliveries, subscribe } from '../support/client.ts';
import { createTestDatabase } from '../support/database.ts';
import { answerAfter, compareWithLog } from '../support/ledger.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createDataDirectory, type Environment, type RunningServer, startServer } from '../support/server.ts';

const SUBSCRIPTIONS = 5;
const EVENTS = 200;
const DELIVERIES = SUBSCRIPTIONS * EVENTS;
const IN_THE_MIDDLE = 300;

type Place = { readonly settings: Environment; readonly killDatabase: () => Promise<unknown> };

let receiver: Receiver;
let server: RunningServer | undefined;

beforeEach(async () => {
  receiver = await startReceiver();
  answerAfter(receiver, 50);
});

afterEach(async () => {
  await server?.stop();
  await receiver.close();
});

/** On a PostgreSQL of somebody else, which lives on. */
async function besideDatabase(): Promise<Place> {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  return { settings: { DATABASE_URL: database.ownerUrl }, killDatabase: async () => undefined };
}

async function withDatabase(): Promise<Place> {
  const data = await createDataDirectory();
  onTestFinished(data.remove);
  return {
    settings: { DATA_DIR: data.path },
    killDatabase: async () => process.kill(await postmasterPid(`${data.path}/postgres`), 'SIGKILL'),
  };
}

/** Emits, and comes back when the receiver has seen a part of it. */
async function deliverInPart(running: RunningServer): Promise<void> {
  const client = await connectClient(running);
  for (let index = 0; index < SUBSCRIPTIONS; index += 1) await subscribe(client, receiver.url);
  await emitBadges(client, EVENTS);
  await receiver.received(IN_THE_MIDDLE);
}

describe('kill -9 while 1,000 deliveries are under way (webhooks rule 13)', () => {
  it.each([
    ['the server', besideDatabase],
    ['the server and its database', withDatabase],
  ])('of %s: after a restart each one is delivered at least once', async (_what, prepare) => {
    const { settings, killDatabase } = await prepare();
    server = await startServer(settings);
    await deliverInPart(server);
    await Promise.all([killDatabase(), server.kill('SIGKILL')]);
    const seenBefore = receiver.requests.length;
    expect(seenBefore).toBeLessThan(DELIVERIES);

    const restartedAt = performance.now();
    server = await startServer(settings);
    const client = await connectClient(server);
    // A lane is free again when its heartbeat of 10 s has passed.
    const succeeded = () => countDeliveries(client, 'SUCCEEDED');
    await expect.poll(succeeded, { interval: 200 }).toBe(DELIVERIES);

    const log = await listDeliveries(client);
    const { lost, repeated } = compareWithLog(receiver, log);
    const seconds = ((performance.now() - restartedAt) / 1_000).toFixed(1);
    process.stdout.write(
      `killed after ${seenBefore} requests; all delivered ${seconds} s after the restart, ${repeated} twice\n`,
    );
    expect(log).toHaveLength(DELIVERIES);
    expect(lost).toEqual([]);
    // Only what was on the wire or not yet settled came twice: what was settled has no second attempt.
    expect(log.filter((delivery) => delivery.attempt_count !== 1)).toEqual([]);
    expect(repeated).toBeLessThanOrEqual(seenBefore);
  });
});
