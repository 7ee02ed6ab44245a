import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { postmasterPid, recordingLog } from '../platform/embedded-postgres/scratch.ts';
import {
  badgeEarned,
  type Client,
  connectClient,
  countDeliveries,
  emitBadges,
  listDeliveries,
  subscribe,
} from '../support/client.ts';
import { type CutOff, openCutOff } from '../support/cut-off.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { untilTrue } from '../support/eventually.ts';
import { answerAfter, compareWithLog } from '../support/ledger.ts';
import { watchBySse } from '../support/live.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import {
  createDataDirectory,
  type DataDirectory,
  type Environment,
  type RunningServer,
  startServer,
} from '../support/server.ts';

let receiver: Receiver;
let server: RunningServer;
let client: Client;

async function begin(databaseUrl: string, settings: Environment = {}): Promise<void> {
  receiver = await startReceiver();
  server = await startServer({ DATABASE_URL: databaseUrl, ...settings });
  client = await connectClient(server);
  await subscribe(client, receiver.url);
}

const statusOf = async (path: string): Promise<number> => (await fetch(`${server.url}${path}`)).status;

describe('a database that cannot be reached (webhooks rule 14)', () => {
  let database: TestDatabase;
  let cutOff: CutOff;

  beforeAll(async () => {
    database = await createTestDatabase();
    cutOff = await openCutOff(database.ownerUrl);
    await begin(cutOff.url);
    await emitBadges(client, 1);
    // Settled, too: or its last line comes into a stream that is opened later.
    await untilTrue(async () => (await countDeliveries(client, 'SUCCEEDED')) === 1);
  });

  // One server for all: each of them begins with connections that were in use, and leaves it to find the database again.
  beforeEach(async () => {
    await untilTrue(async () => (await statusOf('/readyz')) === 200);
    await untilTrue(async () => (await client.get('/api/webhooks/deliveries')).status === 200);
    await cutOff.cut();
  });

  afterEach(() => cutOff.restore().catch(() => undefined));

  afterAll(async () => {
    await server.stop();
    await receiver.close();
    await cutOff.cut().catch(() => undefined);
    await database.drop();
  });

  it('shows in readyz, not in healthz', async () => {
    expect(await statusOf('/readyz')).toBe(503);
    expect(await statusOf('/healthz')).toBe(200);
  });

  it.each([
    ['reading over REST', () => client.get('/api/webhooks/deliveries')],
    ['emitting over REST', () => client.post('/api/events', badgeEarned())],
    ['GraphQL', () => client.graphql('{ organization { name } }')],
  ])('is answered with 503 and Retry-After: %s', async (_what, act) => {
    const { status, headers } = await act();
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('is answered with 503 by the token endpoint, so that clients try again', async () => {
    const answer = await fetch(`${server.url}/api/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'a', client_secret: 'b' }),
    });
    expect(answer.status).toBe(503);
  });

  it('is found again by itself: requests, deliveries and the live stream go on', async () => {
    await cutOff.restore();
    await expect.poll(() => statusOf('/readyz')).toBe(200);
    const stream = watchBySse({ url: server.url, token: client.token });
    expect(await stream.next()).toMatchObject({ __typename: 'StreamReady' });
    await cutOff.cut();
    await expect.poll(() => statusOf('/readyz')).toBe(503);
    await cutOff.restore();
    await expect.poll(() => statusOf('/readyz')).toBe(200);

    await emitBadges(client, 1);
    await receiver.received(2);
    expect(await stream.next()).toMatchObject({ status: 'PENDING' });
    expect(await stream.next()).toMatchObject({ status: 'SUCCEEDED' });
    await stream.close();
  });
});

describe('a database that hangs: it takes every byte and answers none (webhooks rule 14)', () => {
  let database: TestDatabase;
  let cutOff: CutOff;

  beforeEach(async () => {
    database = await createTestDatabase();
    cutOff = await openCutOff(database.ownerUrl);
    await begin(cutOff.url, { DATABASE_TIMEOUT_MS: '3000' });
    await emitBadges(client, 1);
    // Settled, too: or its last line comes into a stream that is opened later.
    await untilTrue(async () => (await countDeliveries(client, 'SUCCEEDED')) === 1);
  });

  afterEach(async () => {
    cutOff.thaw();
    await server.stop();
    await receiver.close();
    await cutOff.cut();
    await database.drop();
  });

  it('is answered with 503, and found again by itself: requests, deliveries, the live stream', async () => {
    const stream = watchBySse({ url: server.url, token: client.token });
    expect(await stream.next()).toMatchObject({ __typename: 'StreamReady' });
    cutOff.freeze();
    const answers = await Promise.all([
      client.get('/api/webhooks/deliveries'),
      client.post('/api/events', badgeEarned()),
      client.graphql('{ organization { name } }'),
      statusOf('/readyz').then((status) => ({ status })),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    expect(await statusOf('/healthz')).toBe(200);

    cutOff.thaw();
    await expect.poll(() => statusOf('/readyz')).toBe(200);
    await emitBadges(client, 1);
    await receiver.received(2);
    expect(await stream.next()).toMatchObject({ status: 'PENDING' });
    expect(await stream.next()).toMatchObject({ status: 'SUCCEEDED' });
    await stream.close();
  });
});

describe('a PostgreSQL that crashes under load (webhooks rule 14)', () => {
  let data: DataDirectory;
  let postgres: EmbeddedPostgres;

  beforeEach(async () => {
    data = await createDataDirectory();
    postgres = await startEmbeddedPostgres({ directory: data.path, log: recordingLog() });
    await begin(postgres.url);
  });

  afterEach(async () => {
    await server.stop();
    await receiver.close();
    await postgres.stop();
    await data.remove();
  });

  it('loses no delivery, and the server goes on without a restart', async () => {
    const [events, deliveries] = [500, 1_000];
    answerAfter(receiver, 20);
    await subscribe(client, receiver.url);
    await emitBadges(client, events);
    await receiver.received(deliveries / 4);
    process.kill(await postmasterPid(data.path), 'SIGKILL');
    const seenBefore = receiver.requests.length;

    await expect.poll(() => statusOf('/readyz')).toBe(200);
    const succeeded = () => countDeliveries(client, 'SUCCEEDED');
    await expect.poll(succeeded, { interval: 200 }).toBe(deliveries);
    const { lost, repeated } = compareWithLog(receiver, await listDeliveries(client));
    process.stdout.write(`PostgreSQL was killed after ${seenBefore} requests; ${repeated} came twice\n`);
    expect(lost).toEqual([]);
    await emitBadges(client, 1);
    await receiver.received(deliveries + 2);
  });
});
