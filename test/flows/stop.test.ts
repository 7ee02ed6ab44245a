import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectClient, countDeliveries, emitBadges, listDeliveries, subscribe } from '../support/client.ts';
import { answerAfter, compareWithLog } from '../support/ledger.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import {
  createDataDirectory,
  type DataDirectory,
  type RunningServer,
  startServer,
} from '../support/server.ts';

const SUBSCRIPTIONS = 5;
const EVENTS = 200;
const DELIVERIES = SUBSCRIPTIONS * EVENTS;
const READY_WITHIN_MS = 5_000;
// Nothing has to time out first: a server that stops in good order gives its lanes back.
const DELIVERED_WITHIN_MS = 8_000;

let data: DataDirectory;
let receiver: Receiver;
let server: RunningServer;

beforeEach(async () => {
  data = await createDataDirectory();
  receiver = await startReceiver();
  answerAfter(receiver, 50);
  server = await startServer({ DATA_DIR: data.path });
});

afterEach(async () => {
  await server.stop();
  await receiver.close();
  await data.remove();
});

describe('SIGTERM under load (webhooks rule 16)', () => {
  it('finishes and records what is in flight, exits 0, and leaves the rest to the next start', async () => {
    const client = await connectClient(server);
    for (let index = 0; index < SUBSCRIPTIONS; index += 1) await subscribe(client, receiver.url);
    await emitBadges(client, EVENTS);
    await receiver.received(DELIVERIES / 4);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    const sentBefore = receiver.requests.length;
    expect(sentBefore).toBeLessThan(DELIVERIES);

    const startedAt = performance.now();
    server = await startServer({ DATA_DIR: data.path });
    expect(performance.now() - startedAt).toBeLessThan(READY_WITHIN_MS);
    const again = await connectClient(server);
    const succeeded = () => countDeliveries(again, 'SUCCEEDED');
    await expect.poll(succeeded, { timeout: DELIVERED_WITHIN_MS, interval: 100 }).toBe(DELIVERIES);

    const log = await listDeliveries(again);
    // Whatever was sent before the stop was recorded: nothing is sent twice.
    expect(compareWithLog(receiver, log)).toEqual({ lost: [], repeated: 0 });
    expect(receiver.requests).toHaveLength(DELIVERIES);
    expect(log.filter((delivery) => delivery.attempt_count !== 1)).toEqual([]);
  });

  it('ends at once when nothing is in flight, and warns of nothing', async () => {
    const startedAt = performance.now();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(READY_WITHIN_MS);
    expect(server.output()).not.toMatch(/\b(WARN|ERROR)\b/);
  });

  it('is not kept from ending by open connections and streams', async () => {
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
    const startedAt = performance.now();
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(READY_WITHIN_MS);
    await stream.body?.cancel().catch(() => undefined);
  });
});
