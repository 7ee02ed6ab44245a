import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { findEventType } from '../../src/events/event-type.ts';
import { call, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/subscriptions';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() => server.sql('DELETE FROM webhook_subscriptions'));

async function create(settings = {}): Promise<string> {
  const created = await call(server, `POST ${PATH}`, {
    token: 'north',
    body: { target_url: 'https://lms.example.com/hooks/optio', event_type: '*', ...settings },
  });
  return (created.body as { id: string }).id; // It was created.
}

it('sets concurrency, rate limit, retry schedule and order, at the creation and later (webhooks rules 8, 19, 20)', async () => {
  const limits = {
    max_concurrency: 3,
    rate_limit_per_second: 20,
    retry_seconds: [5, 50],
    timeout_seconds: 30,
    ordered_by: 'data.user_id',
  };
  const id = await create(limits);
  expect(await call(server, `GET ${PATH}/${id}`, { token: 'north' })).toMatchObject({ body: limits });
  const others = {
    max_concurrency: 100,
    rate_limit_per_second: null,
    retry_seconds: [],
    timeout_seconds: null,
    ordered_by: null,
  };
  const answer = await call(server, `PUT ${PATH}/${id}`, { token: 'north', body: others });
  expect(answer).toMatchObject({ status: 200, body: others });
});

it('resumes with or without what was held (webhooks rule 22)', async () => {
  const id = await create();
  const put = (body: object) => call(server, `PUT ${PATH}/${id}`, { token: 'north', body });
  const statuses = () => server.sql('SELECT status FROM deliveries WHERE subscription_id = $1', [id]);
  await put({ active: false });
  const { example } = findEventType('badge.earned') ?? {};
  await call(server, 'POST /api/events', {
    token: 'north',
    body: { event: 'badge.earned', data: example },
  });
  expect(await statuses()).toEqual([{ status: 'HELD' }]);
  expect(await put({ held: 'discard' })).toMatchObject({
    status: 422,
    body: { errors: [{ path: 'held' }] },
  });
  expect(await put({ active: true, held: 'x' })).toMatchObject({ status: 422 });
  expect(await put({ active: true, held: 'discard' })).toMatchObject({
    status: 200,
    body: { active: true },
  });
  expect(await statuses()).toEqual([{ status: 'CANCELLED' }]);
});
