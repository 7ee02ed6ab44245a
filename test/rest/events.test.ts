import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call, NORTH, SOUTH, startServer, type TestServer } from './support.ts';

const PATH = '/api/events';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const DATA = { user_id: 'u1', badge_id: 'b1', badge_name: 'Naturalist', earned_at: '2026-11-23T09:00:00Z' };
const EVENT = { event: 'badge.earned', data: DATA };

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() =>
  server.sql('TRUNCATE events, event_idempotency_keys, deliveries, webhook_subscriptions CASCADE'),
);

const emit = (body: unknown, headers: Record<string, string> = {}, token = 'north') =>
  call(server, `POST ${PATH}`, { token, body, headers });
const storedEvents = () => server.sql('SELECT organization_id, type, body FROM events ORDER BY id');
const idOf = (answer: { body: unknown }) => (answer.body as { id: string }).id; // Of a single event that was accepted.

describe('POST /api/events with one event', () => {
  it('stores it, with a delivery for each subscription of its type', async () => {
    const { body: subscription } = await call(server, 'POST /api/webhooks/subscriptions', {
      token: 'north',
      body: { target_url: 'https://lms.example.com/', event_type: 'badge.earned' },
    });
    const answer = await emit(EVENT);
    expect(answer).toMatchObject({ status: 202 });
    expect(answer.body).toEqual({
      id: expect.stringMatching(UUID),
      event: 'badge.earned',
      deliveries: 1,
      deduplicated: false,
    });
    expect(server.woken).toContain(`${NORTH}/${(subscription as { id: string }).id}`); // It was created above.
  });

  it('keeps an event that nobody subscribes to (webhooks rule 4), and its unknown fields', async () => {
    const data = { ...DATA, extra: { colour: 'green' }, __proto__x: 1 };
    expect(await emit({ ...EVENT, data })).toMatchObject({ status: 202, body: { deliveries: 0 } });
    const [event] = await storedEvents();
    expect(JSON.parse(String(event?.['body']))).toEqual({
      event: 'badge.earned',
      timestamp: '2026-11-23T09:30:00.000Z',
      data,
      organization_id: NORTH,
    });
  });

  it('takes the time it occurred at, in any offset', async () => {
    await emit({ ...EVENT, occurred_at: '2026-11-23T10:00:00.5+02:00', organization_id: NORTH });
    const [event] = await storedEvents();
    expect(JSON.parse(String(event?.['body']))).toMatchObject({ timestamp: '2026-11-23T08:00:00.500Z' });
  });

  it.each<[string, unknown, string[]]>([
    ['an unknown event type', { ...EVENT, event: 'badge.lost' }, ['event']],
    ['a missing event', { data: DATA }, ['event']],
    ['missing data', { event: 'badge.earned' }, ['data']],
    [
      'data that does not fit',
      { ...EVENT, data: { ...DATA, user_id: 7, badge_id: '' } },
      ['data.user_id', 'data.badge_id'],
    ],
    ['data that is a list', { ...EVENT, data: [] }, ['data']],
    ['a misspelt field', { ...EVENT, idempotencyKey: 'a' }, ['idempotencyKey']],
    ['a time that is none', { ...EVENT, occurred_at: 'yesterday' }, ['occurred_at']],
    ['a time before 1970', { ...EVENT, occurred_at: '0000-01-01T00:00:00Z' }, ['occurred_at']],
    ['a key of 201 characters', { ...EVENT, idempotency_key: 'k'.repeat(201) }, ['idempotency_key']],
    ['an empty key', { ...EVENT, idempotency_key: '' }, ['idempotency_key']],
    ['a list for a body', [EVENT], ['']],
    ['a text for a body', 'quest.completed', ['']],
  ])('refuses %s with 422 and stores nothing (rule 3)', async (_, body, paths) => {
    const answer = await emit(body);
    expect(answer).toMatchObject({ status: 422, body: { errors: paths.map((path) => ({ path })) } });
    expect(await storedEvents()).toEqual([]);
  });

  it('refuses data nested without end instead of failing on it', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const rawBody = JSON.stringify({ ...EVENT, data: { ...DATA, deep: 0 } }).replace(
      '"deep":0',
      `"deep":${deep}`,
    );
    const answer = await call(server, `POST ${PATH}`, { token: 'north', rawBody });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'data' }] } });
  });

  it('knows no other organization: 404', async () => {
    expect(await emit({ ...EVENT, organization_id: SOUTH })).toMatchObject({ status: 404 });
    expect(await emit({ ...EVENT, organization_id: 'x' })).toMatchObject({ status: 404 });
    expect(await storedEvents()).toEqual([]);
  });

  it('refuses an event larger than a delivery may be with 413', async () => {
    const answer = await emit({ ...EVENT, data: { ...DATA, essay: 'x'.repeat(300_000) } });
    expect(answer).toMatchObject({ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } });
  });
});

describe('Idempotency (webhooks rule 2)', () => {
  it.each<[string, unknown, Record<string, string>]>([
    ['field', { ...EVENT, idempotency_key: 'badge-1' }, {}],
    ['header', EVENT, { 'Idempotency-Key': 'badge-1' }],
    ['field and header alike', { ...EVENT, idempotency_key: 'badge-1' }, { 'Idempotency-Key': 'badge-1' }],
  ])('answers the first event to the same key in the %s', async (_, body, headers) => {
    const first = await emit(body, headers);
    expect(first).toMatchObject({ status: 202, body: { deduplicated: false } });
    expect(await emit(body, headers)).toMatchObject({
      status: 202,
      body: { id: idOf(first), event: 'badge.earned', deliveries: 0, deduplicated: true },
    });
    expect(await storedEvents()).toHaveLength(1);
  });

  it('refuses the same key with another body: 409', async () => {
    await emit({ ...EVENT, idempotency_key: 'badge-1' });
    const other = { ...EVENT, data: { ...DATA, badge_id: 'b2' }, idempotency_key: 'badge-1' };
    expect(await emit(other)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await storedEvents()).toHaveLength(1);
  });

  it('refuses a field and a header that differ: 422', async () => {
    const answer = await emit({ ...EVENT, idempotency_key: 'a' }, { 'Idempotency-Key': 'b' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'idempotency_key' }] } });
  });

  it('creates one event out of 12 parallel requests with one key', async () => {
    const body = { ...EVENT, idempotency_key: 'badge-1' };
    const answers = await Promise.all(Array.from({ length: 12 }, () => emit(body)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(
      answers.filter(({ body: told }) => !(told as { deduplicated: boolean }).deduplicated),
    ).toHaveLength(1); // As above.
    expect(await storedEvents()).toHaveLength(1);
  });

  it('keeps the keys of two organizations apart', async () => {
    const body = { ...EVENT, idempotency_key: 'badge-1' };
    const [north, south] = [await emit(body), await emit(body, {}, 'south')];
    expect(south).toMatchObject({ status: 202, body: { deduplicated: false } });
    expect(idOf(south)).not.toBe(idOf(north));
  });
});

describe('POST /api/events with a batch (webhooks rule 5)', () => {
  it('accepts 1,000 events, in their order', async () => {
    const events = Array.from({ length: 1_000 }, (_, index) => ({
      ...EVENT,
      data: { ...DATA, badge_id: `b${index}` },
    }));
    const answer = await emit({ events });
    expect(answer.status).toBe(202);
    const { events: emitted } = answer.body as { events: { id: string; event: string }[] }; // Checked next.
    expect(emitted).toHaveLength(1_000);
    const stored = await server.sql('SELECT id, body FROM events');
    const badgeById = new Map(stored.map(({ id, body }) => [id, JSON.parse(String(body)).data.badge_id]));
    expect(emitted.map(({ id }) => badgeById.get(id))).toEqual(events.map(({ data }) => data.badge_id));
  });

  it('deduplicates by the key of each event', async () => {
    const events = [
      { ...EVENT, idempotency_key: 'a' },
      { ...EVENT, idempotency_key: 'b' },
    ];
    await emit({ events: events.slice(0, 1) });
    expect(await emit({ events })).toMatchObject({
      body: { events: [{ deduplicated: true }, { deduplicated: false }] },
    });
  });

  it.each<[string, unknown, string]>([
    ['no event at all', { events: [] }, 'events'],
    ['1,001 events', { events: Array.from({ length: 1_001 }, () => EVENT) }, 'events'],
    [
      'a bad one among good ones',
      { events: [EVENT, { ...EVENT, data: { ...DATA, user_id: 7 } }] },
      'events.1.data.user_id',
    ],
    ['a bad one alone', { events: [{ ...EVENT, event: 'badge.lost' }] }, 'events.0.event'],
    ['one without a name', { events: [EVENT, { data: DATA }] }, 'events.1.event'],
    ['a misspelt field', { events: [{ ...EVENT, occurredAt: 1 }] }, 'events.0.occurredAt'],
    ['an event beside the batch', { events: [EVENT], event: 'badge.earned' }, 'event'],
  ])('refuses %s with 422 and stores none of them', async (_, body, path) => {
    expect(await emit(body)).toMatchObject({ status: 422, body: { errors: [{ path }] } });
    expect(await storedEvents()).toEqual([]);
  });

  it('refuses one key for all of them: 422', async () => {
    const answer = await emit({ events: [EVENT] }, { 'Idempotency-Key': 'a' });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'idempotency_key' }] } });
  });

  it('knows no other organization, for the batch or one of it: 404', async () => {
    expect(await emit({ events: [EVENT], organization_id: SOUTH })).toMatchObject({ status: 404 });
    expect(await emit({ events: [EVENT, { ...EVENT, organization_id: SOUTH }] })).toMatchObject({
      status: 404,
    });
    expect(await storedEvents()).toEqual([]);
  });
});

describe('GET /api/event-types', () => {
  it('lists the catalogue, each type with schema and an example', async () => {
    const { status, body } = await call(server, 'GET /api/event-types', { token: 'north-reader' });
    expect(status).toBe(200);
    const { data } = body as { data: Record<string, unknown>[] }; // Checked next.
    expect(data.map(({ name }) => name)).toEqual([
      'task.completed',
      'task.submitted',
      'quest.completed',
      'badge.earned',
      'user.registered',
      'grade.updated',
      'webhook.test',
      'webhook.subscription.disabled',
    ]);
    for (const type of data) {
      expect(Object.keys(type)).toEqual(['name', 'version', 'description', 'json_schema', 'example']);
      expect(type['json_schema']).toMatchObject({ type: 'object', required: expect.any(Array) });
    }
  });

  it('has examples that can be emitted as they are', async () => {
    const { body } = await call(server, 'GET /api/event-types', { token: 'north' });
    const { data } = body as { data: { name: string; example: unknown }[] }; // Checked above.
    const events = data.map(({ name, example }) => ({ event: name, data: example }));
    expect(await emit({ events })).toMatchObject({ status: 202 });
  });
});
