import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unseal } from '../../src/lib/crypto.ts';
import { call, KEYS, NORTH, SOUTH, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/subscriptions';
const TARGET = 'https://lms.example.com/hooks/optio';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SECRET = /^whsec_[A-Za-z0-9+/]{43}=$/;

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() => server.sql('DELETE FROM webhook_subscriptions'));

type Body = Record<string, unknown>;

async function create(token: string, body: Body = {}): Promise<Body & { id: string; secret: string }> {
  const answer = await call(server, `POST ${PATH}`, {
    token,
    body: { target_url: TARGET, event_type: '*', ...body },
  });
  expect(answer.status).toBe(201);
  return answer.body as Body & { id: string; secret: string }; // What the route promises; the tests check it.
}

describe('POST /api/webhooks/subscriptions', () => {
  it('creates a subscription and shows its secret', async () => {
    const { status, headers, body } = await call(server, `POST ${PATH}`, {
      token: 'north',
      body: {
        target_url: TARGET,
        event_types: ['quest.completed', 'badge.earned'],
        description: 'Gradebook',
        custom_headers: { 'X-Tenant': 'north' },
      },
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(UUID),
      organization_id: NORTH,
      target_url: TARGET,
      event_types: ['quest.completed', 'badge.earned'],
      description: 'Gradebook',
      max_concurrency: 10,
      rate_limit_per_second: null,
      retry_seconds: [],
      timeout_seconds: null,
      ordered_by: null,
      active: true,
      status: 'active',
      disabled_reason: null,
      disabled_at: null,
      created_at: '2026-11-23T09:30:00.000Z',
      updated_at: '2026-11-23T09:30:00.000Z',
      secret: expect.stringMatching(SECRET),
      deduplicated: false,
    });
    expect(headers.get('location')).toBe(`${PATH}/${(body as { id: string }).id}`); // Matched above.
  });

  it('takes one event_type, and "*" for all in either form', async () => {
    expect(await create('north', { event_type: 'badge.earned' })).toMatchObject({
      event_types: ['badge.earned'],
    });
    expect(await create('north')).toMatchObject({ event_types: ['*'] });
    const answer = await call(server, `POST ${PATH}`, {
      token: 'north',
      body: { target_url: TARGET, event_types: '*' },
    });
    expect(answer).toMatchObject({ status: 201, body: { event_types: ['*'] } });
  });

  it("takes the token's own organization by name, whatever the case", async () => {
    expect(await create('north', { organization_id: NORTH.toUpperCase() })).toMatchObject({
      organization_id: NORTH,
    });
  });

  it('knows no other organization: 404', async () => {
    const answer = await call(server, `POST ${PATH}`, {
      token: 'north',
      body: { target_url: TARGET, event_type: '*', organization_id: SOUTH },
    });
    expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await server.sql('SELECT FROM webhook_subscriptions')).toHaveLength(0);
  });

  it.each<[string, Body, string, RegExp]>([
    ['both event_type and event_types', { event_type: '*', event_types: ['*'] }, 'event_type', /not both/],
    ['neither of them', {}, 'event_types', /Name the event types/],
    ['an unknown event type', { event_type: 'quest.lost' }, 'event_type', /no event type "quest.lost"/],
    ['an unknown one among several', { event_types: ['quest.completed', 'x'] }, 'event_types.1', /"x"/],
    ['a private address', { event_type: '*', target_url: 'https://10.0.0.1/' }, 'target_url', /private/],
    ['plain http', { event_type: '*', target_url: 'http://lms.example.com/' }, 'target_url', /https/],
    ['a number for a URL', { event_type: '*', target_url: 7 }, 'target_url', /expected string/],
    ['a misspelt field', { event_type: '*', custom_header: {} }, 'custom_header', /no such field/],
    ['a field that only an answer has', { event_type: '*', status: 'paused' }, 'status', /no such field/],
    [
      'a reserved header',
      { event_type: '*', custom_headers: { Host: 'a' } },
      'custom_headers.Host',
      /cannot/,
    ],
    ['a NUL character', { event_type: '*', description: 'a\u0000b' }, 'description', /NUL/],
    ['a long description', { event_type: '*', description: 'a'.repeat(501) }, 'description', /500/],
  ])('refuses %s with 422 and its path', async (_, body, path, message) => {
    const answer = await call(server, `POST ${PATH}`, {
      token: 'north',
      body: { target_url: TARGET, ...body },
    });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'VALIDATION', errors: [{ path, message: expect.stringMatching(message) }] },
    });
  });

  it('names every fault at once', async () => {
    const answer = await call(server, `POST ${PATH}`, {
      token: 'north',
      body: { target_url: 'ftp://x', event_types: ['x', 'y'], description: 'a'.repeat(501) },
    });
    expect(answer.body).toMatchObject({
      errors: [
        { path: 'target_url' },
        { path: 'event_types.0' },
        { path: 'event_types.1' },
        { path: 'description' },
      ],
    });
  });

  it('refuses the 1,001st subscription with 409', async () => {
    await server.sql(
      `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
       SELECT $1, gen_random_uuid(), 'https://lms.example.com/', '{*}' FROM generate_series(1, 1000)`,
      [NORTH],
    );
    const body = { target_url: TARGET, event_type: '*' };
    expect(await call(server, `POST ${PATH}`, { token: 'north', body })).toMatchObject({
      status: 409,
      body: { title: 'Conflict', detail: expect.stringContaining('1000') },
    });
    expect(await call(server, `POST ${PATH}`, { token: 'south', body })).toMatchObject({ status: 201 });
  });
});

describe('GET, PUT, DELETE /api/webhooks/subscriptions/:id', () => {
  it('shows the subscription without secret and custom headers', async () => {
    const {
      secret,
      deduplicated: _,
      ...shown
    } = await create('north', { custom_headers: { Authorization: 'Bearer xyzzy' } });
    const answer = await call(server, `GET ${PATH}/${shown.id}`, { token: 'north-reader' });
    expect(answer).toMatchObject({ status: 200, body: shown });
    expect(Object.keys(answer.body as object)).not.toContain('secret'); // It is an object, as matched above.
    expect(JSON.stringify(answer.body)).not.toContain(secret);
    expect(JSON.stringify(answer.body)).not.toContain('xyzzy');
  });

  it('changes the fields that PUT names and no others', async () => {
    const before = await create('north', { description: 'Gradebook' });
    const body = { target_url: `${TARGET}/v2`, event_type: 'badge.earned' };
    const answer = await call(server, `PUT ${PATH}/${before.id}`, { token: 'north', body });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        id: before.id,
        target_url: body.target_url,
        event_types: ['badge.earned'],
        description: 'Gradebook',
      },
    });
    const cleared = await call(server, `PUT ${PATH}/${before.id}`, {
      token: 'north',
      body: { description: null },
    });
    expect(cleared).toMatchObject({ body: { target_url: body.target_url, description: null } });
  });

  it('pauses and resumes by active; status follows', async () => {
    const { id } = await create('north');
    const put = (body: object) => call(server, `PUT ${PATH}/${id}`, { token: 'north', body });
    expect(await put({ active: false })).toMatchObject({
      status: 200,
      body: { active: false, status: 'paused' },
    });
    expect(await put({ active: true })).toMatchObject({
      status: 200,
      body: { active: true, status: 'active' },
    });
    expect(server.woken).toContain(`${NORTH}/${id}`);
  });

  it('shows why it was disabled, and when', async () => {
    const { id } = await create('north');
    await server.sql(
      `UPDATE webhook_subscriptions SET status = 'DISABLED', disabled_reason = 'It answered 410 Gone.', disabled_at = '2026-11-23T09:31:00Z'`,
    );
    expect(await call(server, `GET ${PATH}/${id}`, { token: 'north' })).toMatchObject({
      body: {
        active: false,
        status: 'disabled',
        disabled_reason: 'It answered 410 Gone.',
        disabled_at: '2026-11-23T09:31:00.000Z',
      },
    });
  });

  it.each<[Body, string]>([
    [{ active: 'false' }, 'active'],
    [{ status: 'paused' }, 'status'],
    [{ event_type: '*', event_types: ['*'] }, 'event_type'],
    [{ event_types: [] }, 'event_types'],
    [{ event_type: 'x' }, 'event_type'],
    [{ target_url: null }, 'target_url'],
    [{ max_concurrency: 0 }, 'max_concurrency'],
    [{ max_concurrency: '5' }, 'max_concurrency'],
    [{ rate_limit_per_second: 1_001 }, 'rate_limit_per_second'],
    [{ retry_seconds: [60, 86_401] }, 'retry_seconds.1'],
    [{ ordered_by: 'user_id' }, 'ordered_by'],
    [{ timeout_seconds: 31 }, 'timeout_seconds'],
  ])('refuses PUT %j with 422, naming %s', async (body, path) => {
    const { id } = await create('north');
    expect(await call(server, `PUT ${PATH}/${id}`, { token: 'north', body })).toMatchObject({
      status: 422,
      body: { errors: [{ path }] },
    });
  });

  it('deletes with 204, and 404 from then on', async () => {
    const { id } = await create('north');
    const deleted = await call(server, `DELETE ${PATH}/${id}`, { token: 'north' });
    expect(deleted).toMatchObject({ status: 204, body: '' });
    for (const method of ['GET', 'DELETE']) {
      expect(await call(server, `${method} ${PATH}/${id}`, { token: 'north' })).toMatchObject({
        status: 404,
      });
    }
  });

  it('finds an id in capitals, and seals its headers under the id as it is', async () => {
    const { id } = await create('north');
    const answer = await call(server, `PUT ${PATH}/${id.toUpperCase()}`, {
      token: 'north',
      body: { custom_headers: { 'X-Tenant': 'north' } },
    });
    expect(answer).toMatchObject({ status: 200, body: { id } });
    const [row] = await server.sql('SELECT sealed_headers FROM webhook_subscriptions');
    const sealed = row?.['sealed_headers'];
    if (!Buffer.isBuffer(sealed)) throw new Error('No headers were stored.');
    expect(JSON.parse(unseal(KEYS, sealed, id).toString())).toEqual([['X-Tenant', 'north']]);
  });

  it.each(['no-uuid', '019a0000-0000-7000-8000-0000000000ff', '%00', 'x'.repeat(3_000)])(
    'answers 404 for an id that does not exist: %s',
    async (id) => {
      const answer = await call(server, `GET ${PATH}/${id}`, { token: 'north' });
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      expect(JSON.stringify(answer.body).length).toBeLessThan(600);
    },
  );

  it("answers 404 for every operation on another organization's subscription, and changes nothing", async () => {
    const { id } = await create('south');
    const calls = [
      call(server, `GET ${PATH}/${id}`, { token: 'north' }),
      call(server, `PUT ${PATH}/${id}`, { token: 'north', body: { active: false } }),
      call(server, `DELETE ${PATH}/${id}`, { token: 'north' }),
      call(server, `POST ${PATH}/${id}/rotate-secret`, { token: 'north' }),
      call(server, 'POST /api/webhooks/test', { token: 'north', body: { subscription_id: id } }),
    ];
    for (const answer of await Promise.all(calls)) expect(answer).toMatchObject({ status: 404 });
    expect(await call(server, `GET ${PATH}/${id}`, { token: 'south' })).toMatchObject({
      body: { active: true },
    });
    expect(await call(server, `GET ${PATH}`, { token: 'north' })).toMatchObject({ body: { data: [] } });
  });
});

describe('POST /api/webhooks/subscriptions/:id/rotate-secret', () => {
  it.each<[string, object]>([
    ['no body', {}],
    ['an empty body with a type', { headers: { 'Content-Type': 'application/json' } }],
    ['an overlap', { body: { overlap_seconds: 3_600 } }],
  ])('gives a new secret, with %s', async (_, options) => {
    const { id, secret } = await create('north');
    const answer = await call(server, `POST ${PATH}/${id}/rotate-secret`, { token: 'north', ...options });
    expect(answer).toMatchObject({ status: 200, body: { id, secret: expect.stringMatching(SECRET) } });
    expect(answer.body).not.toMatchObject({ secret });
  });

  it('lets the old secret sign for a day unless told otherwise', async () => {
    const { id } = await create('north');
    await call(server, `POST ${PATH}/${id}/rotate-secret`, { token: 'north' });
    const secrets = await server.sql(
      'SELECT expires_at FROM webhook_secrets WHERE subscription_id = $1 ORDER BY id',
      [id],
    );
    expect(secrets).toEqual([{ expires_at: new Date('2026-11-24T09:30:00Z') }, { expires_at: null }]);
  });

  it.each([-1, 604_801, 1.5, '60', null])('refuses an overlap of %j with 422', async (overlap) => {
    const { id } = await create('north');
    const answer = await call(server, `POST ${PATH}/${id}/rotate-secret`, {
      token: 'north',
      body: { overlap_seconds: overlap },
    });
    expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: 'overlap_seconds' }] } });
  });
});
