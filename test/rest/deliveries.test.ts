import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call, NORTH, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/deliveries';
const DATA = { user_id: 'u1', badge_id: 'b1', badge_name: 'Naturalist', earned_at: '2026-11-23T09:00:00Z' };

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() => server.sql('TRUNCATE events, deliveries, delivery_attempts, webhook_subscriptions CASCADE'));

type Shown = Record<string, unknown> & { readonly id: string };

async function subscribe(token = 'north', eventType = '*'): Promise<string> {
  const body = { target_url: 'https://lms.example.com/', event_type: eventType };
  const answer = await call(server, 'POST /api/webhooks/subscriptions', { token, body });
  return (answer.body as Shown).id; // The subscriptions' tests check it.
}

async function emitBadge(token = 'north'): Promise<void> {
  const body = { event: 'badge.earned', data: DATA };
  expect(await call(server, 'POST /api/events', { token, body })).toMatchObject({ status: 202 });
}

async function list(search = '', token = 'north'): Promise<Shown[]> {
  const { status, body } = await call(server, `GET ${PATH}${search}`, { token });
  expect(status).toBe(200);
  return (body as { data: Shown[] }).data; // The shape is under test.
}

async function onlyDelivery(): Promise<Shown> {
  const [delivery, ...others] = await list();
  if (delivery === undefined || others.length > 0) throw new Error('Expected one delivery.');
  return delivery;
}

async function addAttempt(deliveryId: string, number: number): Promise<void> {
  await server.sql(
    `INSERT INTO delivery_attempts (organization_id, delivery_id, number, started_at, dns_ms, connect_ms, tls_ms,
       first_byte_ms, total_ms, request_headers, response_code, response_headers, response_body, error_kind, error)
     VALUES ($1, $2, $3, '2026-11-23T09:30:01Z', 1.5, 2.25, NULL, 10.1, 12.6, $4, 500, $5, 'oops', 'http_status', 'It answered 500.')`,
    [
      NORTH,
      deliveryId,
      number,
      JSON.stringify([['Content-Type', 'application/json']]),
      JSON.stringify([
        ['via', 'a'],
        ['via', 'b'],
      ]),
    ],
  );
}

describe('GET /api/webhooks/deliveries', () => {
  it('lists deliveries with every field of the table', async () => {
    const subscriptionId = await subscribe();
    await emitBadge();
    expect(await onlyDelivery()).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      subscription_id: subscriptionId,
      event_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      event_type: 'badge.earned',
      replay_of_id: null,
      replay_id: null,
      status: 'pending',
      attempt_count: 0,
      next_attempt_at: '2026-11-23T09:30:00.000Z',
      last_response_code: null,
      last_error: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      completed_at: null,
    });
  });

  it('filters by status, subscription and event type', async () => {
    const [first, second] = [await subscribe(), await subscribe('north', 'badge.earned')];
    await emitBadge();
    await server.sql(
      `UPDATE deliveries SET status = 'SUCCEEDED', due_at = NULL, completed_at = now(), attempt_count = 1, last_response_code = 204
       WHERE subscription_id = $1`,
      [first],
    );
    expect(await list('?status=succeeded')).toMatchObject([
      { subscription_id: first, last_response_code: 204 },
    ]);
    expect(await list('?status=pending')).toMatchObject([{ subscription_id: second }]);
    expect(await list('?status=failed')).toEqual([]);
    expect(await list(`?subscription_id=${second.toUpperCase()}`)).toMatchObject([
      { subscription_id: second },
    ]);
    expect(await list('?subscription_id=unknown')).toEqual([]);
    expect(await list('?event_type=badge.earned')).toHaveLength(2);
    expect(await list('?event_type=quest.completed')).toEqual([]);
  });

  it('filters by time: since includes, until excludes', async () => {
    await subscribe();
    await emitBadge();
    const { created_at: createdAt } = await onlyDelivery();
    const at = encodeURIComponent(String(createdAt));
    expect(await list(`?since=${at}`)).toHaveLength(1);
    expect(await list(`?until=${at}`)).toHaveLength(0);
    expect(await list('?since=2020-01-01T00:00:00Z&until=2099-01-01T00:00:00Z')).toHaveLength(1);
  });

  it('pages by cursor', async () => {
    await subscribe();
    for (let index = 0; index < 5; index += 1) await emitBadge();
    const all = (await list()).map(({ id }) => id);
    const { body } = await call(server, `GET ${PATH}?limit=3`, { token: 'north' });
    const first = body as { data: Shown[]; next_cursor: string }; // The shape is under test.
    expect(first.data.map(({ id }) => id)).toEqual(all.slice(0, 3));
    expect((await list(`?limit=3&cursor=${first.next_cursor}`)).map(({ id }) => id)).toEqual(all.slice(3));
  });

  it.each([
    ['status=PENDING', 'status'],
    ['status=done', 'status'],
    ['since=today', 'since'],
    ['until=0000-01-01T00:00:00Z', 'until'],
    ['event_type=x', 'event_type'],
    ['limit=500', 'limit'],
    ['cursor=%00', 'cursor'],
    ['sttus=failed', 'sttus'],
  ])('refuses ?%s with 422, naming %s', async (search, path) => {
    const answer = await call(server, `GET ${PATH}?${search}`, { token: 'north' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path }] } });
  });

  it("shows nothing of another organization's", async () => {
    await subscribe('south');
    await emitBadge('south');
    expect(await list()).toEqual([]);
    expect(await list('', 'south')).toHaveLength(1);
  });
});

describe('GET /api/webhooks/deliveries/:id', () => {
  it('shows the delivery with its attempts, first one first', async () => {
    await subscribe();
    await emitBadge();
    const delivery = await onlyDelivery();
    await addAttempt(delivery.id, 1);
    await addAttempt(delivery.id, 2);
    const { status, body } = await call(server, `GET ${PATH}/${delivery.id}`, { token: 'north-reader' });
    expect(status).toBe(200);
    const attempt = {
      number: 1,
      started_at: '2026-11-23T09:30:01.000Z',
      duration_ms: 13,
      timing: { dns_ms: 1.5, connect_ms: 2.25, tls_ms: null, first_byte_ms: 10.1, total_ms: 12.6 },
      request_headers: { 'Content-Type': 'application/json' },
      response_code: 500,
      response_headers: { via: 'a, b' },
      response_body: 'oops',
      error_kind: 'http_status',
      error: 'It answered 500.',
    };
    expect(body).toEqual({ ...delivery, attempts: [attempt, { ...attempt, number: 2 }] });
  });

  it('shows the body that was sent only with the scope read:events', async () => {
    await subscribe();
    await emitBadge();
    const { id } = await onlyDelivery();
    await addAttempt(id, 1);
    const [event] = await server.sql('SELECT body FROM events');
    const attemptsFor = async (token: string) =>
      ((await call(server, `GET ${PATH}/${id}`, { token })).body as { attempts: Shown[] }).attempts; // As above.
    expect(await attemptsFor('north')).toMatchObject([{ request_body: event?.['body'] }]);
    expect(Object.keys((await attemptsFor('north-reader'))[0] ?? {})).not.toContain('request_body');

    await server.sql('UPDATE events SET body = NULL');
    expect(await attemptsFor('north')).toMatchObject([{ request_body: null }]);
  });

  it("answers 404 for what is no UUID, does not exist, or is another organization's", async () => {
    await subscribe('south');
    await emitBadge('south');
    const [foreign] = await list('', 'south');
    for (const id of ['x', '019a0000-0000-7000-8000-0000000000ff', foreign?.id]) {
      expect(await call(server, `GET ${PATH}/${id}`, { token: 'north' })).toMatchObject({ status: 404 });
      expect(await call(server, `POST ${PATH}/${id}/retry`, { token: 'north' })).toMatchObject({
        status: 404,
      });
    }
  });
});

describe('POST /api/webhooks/deliveries/:id/retry', () => {
  it('makes a failed delivery due now: 202', async () => {
    const subscriptionId = await subscribe();
    await emitBadge();
    const { id } = await onlyDelivery();
    await server.sql(
      `UPDATE deliveries SET status = 'FAILED', due_at = NULL, completed_at = now(), attempt_count = 6`,
    );
    server.woken.length = 0;
    expect(await call(server, `POST ${PATH}/${id}/retry`, { token: 'north' })).toMatchObject({
      status: 202,
      body: { id, status: 'retrying', next_attempt_at: '2026-11-23T09:30:00.000Z', completed_at: null },
    });
    expect(server.woken).toEqual([`${NORTH}/${subscriptionId}`]);
    // Whoever watches live sees it too.
    const updates = await server.sql(
      'SELECT status FROM delivery_updates WHERE delivery_id = $1 ORDER BY version',
      [id],
    );
    expect(updates).toEqual([{ status: 'PENDING' }, { status: 'RETRYING' }]);
  });

  it('is refused while the subscription is paused: 409', async () => {
    const subscriptionId = await subscribe();
    await emitBadge();
    const { id } = await onlyDelivery();
    const body = { active: false };
    await call(server, `PUT /api/webhooks/subscriptions/${subscriptionId}`, { token: 'north', body });
    expect(await list()).toMatchObject([{ id, status: 'held', next_attempt_at: null }]);
    expect(await call(server, `POST ${PATH}/${id}/retry`, { token: 'north' })).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT', detail: expect.stringContaining('paused') },
    });
  });
});

describe('POST /api/webhooks/deliveries/:id/cancel', () => {
  it('ends what waits, and is refused for what has ended: 409', async () => {
    await subscribe();
    await emitBadge();
    const { id } = await onlyDelivery();
    const cancel = () => call(server, `POST ${PATH}/${id}/cancel`, { token: 'north' });
    expect(await cancel()).toMatchObject({
      status: 200,
      body: { id, status: 'cancelled', next_attempt_at: null, completed_at: '2026-11-23T09:30:00.000Z' },
    });
    expect(await cancel()).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
  });

  it("does not find another organization's: 404", async () => {
    await subscribe('south');
    await emitBadge('south');
    const [foreign] = await list('', 'south');
    expect(await call(server, `POST ${PATH}/${foreign?.id}/cancel`, { token: 'north' })).toMatchObject({
      status: 404,
    });
    expect(await list('', 'south')).toMatchObject([{ status: 'pending' }]);
  });
});

const sendTest = (body: unknown) => call(server, 'POST /api/webhooks/test', { token: 'north', body });
const faultAt = (path: string) => ({ status: 422, body: { errors: [{ path }] } });

describe('POST /api/webhooks/test', () => {
  it('sends webhook.test to one subscription, whatever its types: 202', async () => {
    const subscriptionId = await subscribe('north', 'badge.earned');
    await subscribe();
    const answer = await sendTest({ subscription_id: subscriptionId });
    const delivery = await onlyDelivery();
    expect(answer).toMatchObject({ status: 202, body: { delivery_id: delivery.id } });
    expect(delivery).toMatchObject({
      subscription_id: subscriptionId,
      event_type: 'webhook.test',
      status: 'pending',
    });
  });

  it('sends the example of another event type', async () => {
    const subscriptionId = await subscribe();
    expect(await sendTest({ subscription_id: subscriptionId, event_type: 'grade.updated' })).toMatchObject({
      status: 202,
    });
    expect(await onlyDelivery()).toMatchObject({ event_type: 'grade.updated' });
  });

  it('refuses what does not fit', async () => {
    const subscriptionId = await subscribe();
    expect(await sendTest({})).toMatchObject(faultAt('subscription_id'));
    expect(await sendTest({ subscription_id: subscriptionId, event_type: 'x' })).toMatchObject(
      faultAt('event_type'),
    );
    expect(await sendTest({ subscription_id: subscriptionId, type: 'x' })).toMatchObject(faultAt('type'));
    expect(await sendTest({ subscription_id: 'x' })).toMatchObject({ status: 404 });
    expect(await list()).toEqual([]);
  });
});
