import { Client as Database } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connectClient, emitBadges, subscribe } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { watchBySse } from '../support/live.ts';
import { lintMetrics, scrape, valueOf } from '../support/metrics.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const TOKEN = 'metrics-token-of-the-operator';
// Readings of the database are up to 5 s old.
const SAMPLED = { interval: 500 };

let database: TestDatabase;
let receiver: Receiver;
let api: RunningServer;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  receiver = await startReceiver();
  api = await startServer({ ROLE: 'api', DATABASE_URL: database.ownerUrl, METRICS_TOKEN: TOKEN });
  client = await connectClient(api);
});

afterAll(async () => {
  await api.stop();
  await receiver.close();
  await database.drop();
});

/** Reads one value of a server, to be polled. */
function reading({ url }: RunningServer, name: string, labels: Record<string, string> = {}) {
  return async () => valueOf(await scrape(url), name, labels);
}

async function growthOf(
  name: string,
  labels: Record<string, string>,
  act: () => Promise<unknown>,
): Promise<number> {
  const read = async () => valueOf(await scrape(api.url), name, labels) ?? 0;
  const before = await read();
  await act();
  return (await read()) - before;
}

describe('GET /metrics', () => {
  it('is for this machine, and for the token; a proxy on this machine opens nothing', async () => {
    const ask = (headers: Record<string, string>) => fetch(`${api.url}/metrics`, { headers });
    expect((await ask({})).status).toBe(200);
    const forwarded = await ask({ 'X-Forwarded-For': '203.0.113.9' });
    expect(forwarded.status).toBe(401);
    expect(await forwarded.json()).toMatchObject({ detail: expect.stringContaining('METRICS_TOKEN') });
    const proxied = { 'X-Forwarded-For': '203.0.113.9', Authorization: `Bearer ${TOKEN}` };
    expect((await ask(proxied)).status).toBe(200);
    expect((await ask({ ...proxied, Authorization: `Bearer ${TOKEN}x` })).status).toBe(401);
    expect((await fetch(`${api.url}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  it('answers what follows the conventions of Prometheus', async () => {
    const families = await scrape(api.url);
    expect(families.filter(({ name }) => name.startsWith('optio_')).length).toBeGreaterThan(8);
    expect(lintMetrics(families)).toEqual([]);
  });
});

describe('requests', () => {
  const count = 'optio_http_request_duration_seconds_count';

  it('count by route and status, not by what stands in the path', async () => {
    const labels = { method: 'GET', route: '/api/webhooks/subscriptions/:id', status: '4xx' };
    const grown = await growthOf(count, labels, async () => {
      await client.get('/api/webhooks/subscriptions/019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11');
      await client.get('/api/webhooks/subscriptions/nothing-of-the-kind');
    });
    expect(grown).toBe(2);
  });

  it('to nowhere, of any method, make no new series', async () => {
    const series = async () =>
      (await scrape(api.url)).find(({ name }) => name === 'optio_http_request_duration_seconds')?.samples
        .length;
    await fetch(`${api.url}/nowhere`);
    await fetch(`${api.url}/nowhere`, { method: 'PROPFIND' });
    const before = await series();
    for (let index = 0; index < 20; index += 1) {
      await fetch(`${api.url}/nowhere-${index}`);
      await fetch(`${api.url}/nowhere-${index}`, { method: 'PROPFIND' });
    }
    expect(await series()).toBe(before);
    expect(valueOf(await scrape(api.url), count, { route: 'none', status: '4xx' })).toBeGreaterThanOrEqual(
      42,
    );
  });

  it('that are too large count as well', async () => {
    const grown = await growthOf(count, { status: '4xx', method: 'POST' }, async () => {
      const { status } = await client.post('/api/events', { data: 'x'.repeat(1_100_000) });
      expect(status).toBe(413);
    });
    expect(grown).toBe(1);
  });
});

describe('GraphQL operations', () => {
  it.each([
    ['query', 'ok', '{ __typename }'],
    ['query', 'invalid', '{ nothing }'],
    ['unknown', 'invalid', '{'],
    ['mutation', 'ok', 'mutation { __typename }'],
  ])('count: a %s, %s', async (kind, outcome, document) => {
    const grown = await growthOf('optio_graphql_operations_total', { kind, outcome }, () =>
      client.graphql(document),
    );
    expect(grown).toBe(1);
  });

  it('count as refused when they may not be', async () => {
    const labels = { kind: 'query', outcome: 'refused' };
    const grown = await growthOf('optio_graphql_operations_total', labels, () =>
      fetch(`${api.url}/graphql`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ query: '{ organization { id } }' }),
      }),
    );
    expect(grown).toBe(1);
  });

  it('count a subscription when it is opened, and its stream while it lasts', async () => {
    const stream = watchBySse({ url: api.url, token: client.token });
    await stream.next();
    const families = await scrape(api.url);
    expect(valueOf(families, 'optio_graphql_operations_total', { kind: 'subscription', outcome: 'ok' })).toBe(
      1,
    );
    expect(valueOf(families, 'optio_stream_subscribers')).toBe(1);
    await stream.close();
    await expect.poll(reading(api, 'optio_stream_subscribers'), SAMPLED).toBe(0);
  });
});

describe('what the database tells', () => {
  it('the pools: how many connections there are, and how many there may be', async () => {
    await client.get('/api/webhooks/subscriptions');
    const families = await scrape(api.url);
    for (const [pool, max] of Object.entries({ tenant: 20, worker: 9, auth: 10 })) {
      expect(valueOf(families, 'optio_database_connections', { pool })).toBeGreaterThan(0);
      expect(valueOf(families, 'optio_database_connections_max', { pool })).toBe(max);
      expect(valueOf(families, 'optio_database_waiting_requests', { pool })).toBe(0);
    }
    expect(valueOf(families, 'optio_database_connections_max', { pool: 'claims' })).toBe(1);
    expect(valueOf(families, 'optio_database_up')).toBe(1);
  });

  it('the stream: how long its oldest line has waited for a transaction that does not end', async () => {
    await subscribe(client, receiver.url);
    await expect.poll(reading(api, 'optio_stream_lag_seconds'), SAMPLED).toBe(0);
    const other = new Database({ connectionString: database.ownerUrl });
    await other.connect();
    await other.query('BEGIN; SELECT pg_current_xact_id()');
    await emitBadges(client, 1);
    await expect.poll(reading(api, 'optio_stream_lag_seconds'), SAMPLED).toBeGreaterThan(0);
    await other.end();
    await expect.poll(reading(api, 'optio_stream_lag_seconds'), SAMPLED).toBe(0);
  });

  it('the lanes that wait while there is no worker, which an API process can see', async () => {
    await expect.poll(reading(api, 'optio_lanes_waiting'), SAMPLED).toBe(1);
    await expect.poll(reading(api, 'optio_oldest_due_seconds'), SAMPLED).toBeGreaterThan(0);
  });
});

describe('a worker', () => {
  it('tells of its attempts: on the wire, then by what came of them', async () => {
    const open = Promise.withResolvers<void>();
    receiver.answer = (_request, response) => void open.promise.then(() => response.end('ok'));
    const worker = await startServer({ ROLE: 'worker', DATABASE_URL: database.ownerUrl });
    try {
      await receiver.received(1);
      await expect.poll(reading(worker, 'optio_delivery_attempts_in_flight'), SAMPLED).toBe(1);
      await expect.poll(reading(worker, 'optio_lanes_held'), SAMPLED).toBe(1);
      open.resolve();
      const attempts = 'optio_delivery_attempts_total';
      await expect.poll(reading(worker, attempts, { outcome: 'succeeded' }), SAMPLED).toBe(1);
      await expect.poll(reading(api, 'optio_lanes_waiting'), SAMPLED).toBe(0);
      expect(valueOf(await scrape(api.url), 'optio_oldest_due_seconds')).toBe(0);

      receiver.answer = (_request, response) => void response.writeHead(500).end();
      await emitBadges(client, 1);
      await expect
        .poll(reading(worker, attempts, { outcome: 'retrying', error_kind: 'http_status' }), SAMPLED)
        .toBe(1);
      receiver.answer = (_request, response) => void response.writeHead(410).end();
      await emitBadges(client, 1);
      await expect
        .poll(reading(worker, attempts, { outcome: 'failed', error_kind: 'http_status' }), SAMPLED)
        .toBe(1);

      const families = await scrape(worker.url);
      expect(valueOf(families, 'optio_delivery_attempt_duration_seconds_count')).toBe(3);
      expect(valueOf(families, 'optio_settlement_backlog')).toBe(0);
      expect(valueOf(families, 'optio_build_info', { role: 'worker' })).toBe(1);
      expect(lintMetrics(families)).toEqual([]);
    } finally {
      await worker.stop();
    }
  });
});
