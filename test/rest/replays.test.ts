import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, NORTH, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/replays';
const SUBSCRIPTION = '019a0000-0000-7000-8000-0000000000c1';
const EVENT = '019a0000-0000-7000-8000-0000000000e1';
const DELIVERY = '019a0000-0000-7000-8000-0000000000d1';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
  await server.sql(
    `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types) VALUES ($1, $2, 'https://lms.example/', '{*}')`,
    [NORTH, SUBSCRIPTION],
  );
  await server.sql(
    `INSERT INTO events (organization_id, id, type, occurred_at, body) VALUES ($1, $2, 'badge.earned', now(), '{}')`,
    [NORTH, EVENT],
  );
  await server.sql(
    `INSERT INTO deliveries (organization_id, id, subscription_id, event_id, event_type, status, completed_at, attempt_count)
     VALUES ($1, $2, $3, $4, 'badge.earned', 'SUCCEEDED', now(), 1)`,
    [NORTH, DELIVERY, SUBSCRIPTION, EVENT],
  );
});
afterAll(() => server.close());

const post = (path: string, body?: unknown, token = 'north') =>
  call(server, `POST ${path}`, { token, ...(body === undefined ? {} : { body }) });

it('counts, starts, lists, shows and cancels a replay', async () => {
  const filter = { statuses: ['succeeded'], subscription_id: SUBSCRIPTION };
  expect(await post(`${PATH}/preview`, filter)).toMatchObject({
    status: 200,
    body: { count: 1, is_exact: true },
  });
  const started = await post(PATH, { ...filter, rate_per_second: 5 });
  expect(started).toMatchObject({
    status: 202,
    body: {
      state: 'running',
      total: 1,
      replayed: 0,
      statuses: ['succeeded'],
      rate_per_second: 5,
      ended_at: null,
    },
  });
  const { id } = started.body as { id: string }; // As the assertion above says.
  const reader = { token: 'north-reader' };
  expect(await call(server, `GET ${PATH}`, reader)).toMatchObject({ status: 200, body: { data: [{ id }] } });
  expect(await call(server, `GET ${PATH}/${id}`, reader)).toMatchObject({
    status: 200,
    body: started.body as object,
  });
  expect(await post(`${PATH}/${id}/cancel`)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  expect(await post(`${PATH}/${id}/cancel`, undefined, 'south')).toMatchObject({ status: 404 });
  expect(await call(server, `GET ${PATH}/${id}`, { token: 'south' })).toMatchObject({ status: 404 });
  expect(await call(server, `GET /api/webhooks/deliveries?replay_id=${id}`, reader)).toMatchObject({
    status: 200,
    body: { data: [] },
  });
});

it('refuses what does not fit, and who may not', async () => {
  expect(await post(PATH, {})).toMatchObject({ status: 422, body: { errors: [{ path: 'statuses' }] } });
  expect(await post(PATH, { statuses: ['pending'] })).toMatchObject({ status: 422 });
  expect(await post(PATH, { statuses: ['failed'], rate_per_second: 0 })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'rate_per_second' }] },
  });
  expect(await post(PATH, { statuses: ['failed'], status: 'failed' })).toMatchObject({ status: 422 });
  expect(await post(PATH, { missing: true, subscription_id: 'x' })).toMatchObject({ status: 404 });
  expect(await post(PATH, { statuses: ['failed'] }, 'north-reader')).toMatchObject({ status: 403 });
});

it('replays one delivery under an id of its own; to retry a success is a conflict that says so (rule 24)', async () => {
  const path = `/api/webhooks/deliveries/${DELIVERY}`;
  expect(await post(`${path}/retry`)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('replay') },
  });
  const replayed = await post(`${path}/replay`);
  expect(replayed).toMatchObject({
    status: 202,
    body: { status: 'pending', replay_of_id: DELIVERY, replay_id: null, event_id: EVENT },
  });
  const { id } = replayed.body as { id: string }; // As the assertion above says.
  expect(id).not.toBe(DELIVERY);
  expect(await post(`/api/webhooks/deliveries/${id}/replay`)).toMatchObject({ status: 409 });
  expect(await post(`${path}/replay`, undefined, 'south')).toMatchObject({ status: 404 });
});
