import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Client,
  connectClient,
  countDeliveries,
  emitBadges,
  listDeliveries,
  subscribe,
} from '../support/client.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import {
  createDataDirectory,
  type DataDirectory,
  type RunningServer,
  startServer,
} from '../support/server.ts';

const EVENTS = 600;
// Five pieces a second apart or so: one can be killed in the middle.
const RATE = 240;
// The lease of the replay, and then the lane, are free again when their heartbeats of 10 s have passed.
const RECOVERED_WITHIN_MS = 60_000;

let data: DataDirectory;
let receiver: Receiver;
let server: RunningServer;

beforeEach(async () => {
  data = await createDataDirectory();
  receiver = await startReceiver();
  server = await startServer({ DATA_DIR: data.path });
});

afterEach(async () => {
  await server.stop();
  await receiver.close();
  await data.remove();
});

type Replay = {
  readonly id: string;
  readonly state: string;
  readonly replayed: number;
  readonly total: number;
};

async function deliverAll(client: Client): Promise<void> {
  await subscribe(client, receiver.url);
  await emitBadges(client, EVENTS);
  await expect
    .poll(() => countDeliveries(client, 'SUCCEEDED'), { timeout: 30_000, interval: 100 })
    .toBe(EVENTS);
}

async function startReplay(client: Client): Promise<string> {
  const request = { statuses: ['succeeded'], rate_per_second: RATE };
  const { status, body } = await client.post('/api/webhooks/replays', request);
  if (status !== 202 && status !== 201)
    throw new Error(`The replay was not started: ${JSON.stringify(body)}`);
  return (body as Replay).id; // As REST answers.
}

const replayOf = async (client: Client, id: string) =>
  (await client.get(`/api/webhooks/replays/${id}`)).body as Replay; // As REST answers 200.

describe('kill -9 in the middle of a replay of many (webhooks rule 13)', () => {
  it('of the server: after a restart it goes on, makes each delivery once, and ends at its count (rule 13)', async () => {
    const before = await connectClient(server);
    await deliverAll(before);
    const id = await startReplay(before);
    // The first of what the replay makes has arrived; the rest is to come.
    await receiver.received(EVENTS + 20);
    const { replayed } = await replayOf(before, id);
    await server.kill('SIGKILL');
    expect(replayed).toBeGreaterThan(0);
    expect(replayed).toBeLessThan(EVENTS);

    server = await startServer({ DATA_DIR: data.path });
    const client = await connectClient(server);
    const poll = { timeout: RECOVERED_WITHIN_MS, interval: 200 };
    await expect
      .poll(() => replayOf(client, id), poll)
      .toMatchObject({ state: 'completed', replayed: EVENTS, total: EVENTS });
    await expect.poll(() => countDeliveries(client, 'SUCCEEDED'), poll).toBe(2 * EVENTS);
    const log = await listDeliveries(client);
    expect(log).toHaveLength(2 * EVENTS);
    const perEvent = Map.groupBy(log, (delivery) => delivery.event_id);
    expect(perEvent.size).toBe(EVENTS);
    expect([...perEvent.values()].filter((made) => made.length !== 2)).toEqual([]);
  }, 150_000);
});
