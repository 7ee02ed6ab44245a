import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/platform/database/tenancy.ts';
import { call, NORTH, startServer, type TestServer } from './support.ts';

const ID = '019a0000-0000-7000-8000-0000000000ff';
const ORIGIN = 'https://admin.example.com';
const SUBSCRIPTIONS = '/api/webhooks/subscriptions';

/** Every route, with what its token must hold. */
const ROUTES: readonly (readonly [route: string, scope: string | null])[] = [
  ['GET /api/me', null],
  ['POST /api/events', 'write:events'],
  ['GET /api/event-types', 'read:webhooks'],
  [`POST ${SUBSCRIPTIONS}`, 'write:webhooks'],
  [`GET ${SUBSCRIPTIONS}`, 'read:webhooks'],
  [`GET ${SUBSCRIPTIONS}/${ID}`, 'read:webhooks'],
  [`PUT ${SUBSCRIPTIONS}/${ID}`, 'write:webhooks'],
  [`DELETE ${SUBSCRIPTIONS}/${ID}`, 'write:webhooks'],
  [`POST ${SUBSCRIPTIONS}/${ID}/rotate-secret`, 'write:webhooks'],
  ['GET /api/webhooks/deliveries', 'read:webhooks'],
  [`GET /api/webhooks/deliveries/${ID}`, 'read:webhooks'],
  [`POST /api/webhooks/deliveries/${ID}/retry`, 'write:webhooks'],
  [`POST /api/webhooks/deliveries/${ID}/cancel`, 'write:webhooks'],
  ['POST /api/webhooks/test', 'write:webhooks'],
];
const SCOPED = ROUTES.filter((route): route is readonly [string, string] => route[1] !== null);

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ corsOrigins: [ORIGIN] });
});
afterAll(() => server.close());

const badge = (extra: object = {}) => ({
  event: 'badge.earned',
  data: { user_id: 'u1', badge_id: 'b1', badge_name: 'N', earned_at: '2026-11-23T09:00:00Z' },
  ...extra,
});

describe('Who may call (oauth rules 48, 49 and 51)', () => {
  it.each(ROUTES)('%s without a valid token: 401 with a challenge', async (route) => {
    for (const options of [{}, { token: 'stranger' }]) {
      const answer = await call(server, route, options);
      expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    }
  });

  it.each(SCOPED)(
    '%s without the scope %s: 403 that names it, before the body is looked at',
    async (route, scope) => {
      const answer = await call(server, route, { token: 'north-learner' });
      expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN', required_scope: scope } });
      expect(answer.headers.get('www-authenticate')).toBe(
        `Bearer error="insufficient_scope", scope="${scope}"`,
      );
    },
  );

  it.each(SCOPED.filter(([route]) => route !== 'GET /api/event-types'))(
    '%s as a student whose token holds every scope: 403',
    async (route) => {
      const answer = await call(server, route, { token: 'north-student' });
      expect(answer).toMatchObject({ status: 403, body: { detail: expect.stringContaining('ADMIN') } });
    },
  );

  it.each(ROUTES)('%s with a session: 401, for a cookie comes along from any site', async (route) => {
    expect(await call(server, route, { token: 'north-session' })).toMatchObject({ status: 401 });
  });

  it('reading is not writing, and emitting is neither', async () => {
    expect(await call(server, `DELETE ${SUBSCRIPTIONS}/${ID}`, { token: 'north-reader' })).toMatchObject({
      status: 403,
    });
    expect(await call(server, 'POST /api/events', { token: 'north-reader' })).toMatchObject({ status: 403 });
    expect(await call(server, `GET ${SUBSCRIPTIONS}`, { token: 'north-emitter' })).toMatchObject({
      status: 403,
    });
  });

  it('asks for the token itself, at the URL that was called', async () => {
    const seen: unknown[] = [];
    const other = await startServer({
      authenticate: (request) => {
        seen.push(request);
        throw new Error('Enough.');
      },
    });
    await call(other, 'GET /api/me?access_token=x', { token: 'north' });
    await other.close();
    expect(seen).toEqual([{ authorization: 'Bearer north', url: `${other.origin}/api/me?access_token=x` }]);
  });
});

describe('GET /api/me', () => {
  it('shows what the token of a client stands for', async () => {
    const { status, body } = await call(server, 'GET /api/me', { token: 'north-reader' });
    expect(status).toBe(200);
    expect(body).toEqual({
      organization_id: NORTH,
      user_id: null,
      client_id: 'client-of-a',
      role: 'CLIENT',
      scopes: ['read:webhooks'],
      expires_at: '2026-11-23T10:30:00.000Z',
    });
  });

  it("shows the user of a user's token", async () => {
    expect(await call(server, 'GET /api/me', { token: 'north-student' })).toMatchObject({
      body: { user_id: expect.stringMatching(/^[0-9a-f-]{36}$/), role: 'STUDENT' },
    });
  });
});

describe('Paths and methods', () => {
  it.each([
    ['PATCH', '/api/events', 'POST'],
    ['DELETE', SUBSCRIPTIONS, 'GET, HEAD, POST'],
    ['POST', `${SUBSCRIPTIONS}/${ID}`, 'DELETE, GET, HEAD, PUT'],
    ['GET', '/api/webhooks/test', 'POST'],
    ['PUT', '/api/me', 'GET, HEAD'],
  ])('%s %s: 405 with Allow', async (method, path, allow) => {
    const answer = await call(server, `${method} ${path}`, { token: 'north' });
    expect(answer).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED', status: 405 } });
    expect(answer.headers.get('allow')).toBe(allow);
  });

  it.each(['/api', '/api/events/', '/api/webhooks', `${SUBSCRIPTIONS}/${ID}/secrets`, '/%'])(
    'nothing is at %s: 404',
    async (path) => {
      const answer = await call(server, `GET ${path}`, { token: 'north' });
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    },
  );
});

const preflight = (origin: string) =>
  call(server, `OPTIONS ${SUBSCRIPTIONS}`, {
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Headers': 'authorization',
    },
  });

describe('CORS (graphql convention 8, in its spirit)', () => {
  it('lets pages of a listed origin call, without cookies', async () => {
    const { status, headers } = await preflight(ORIGIN);
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('lets them read refusals as well', async () => {
    const { status, headers } = await call(server, 'GET /api/me', { headers: { Origin: ORIGIN } });
    expect(status).toBe(401);
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id');
    expect(headers.get('www-authenticate')).not.toBeNull();
  });

  it('is not there for any other origin', async () => {
    for (const origin of ['https://evil.example', 'null', `${ORIGIN}.evil.example`]) {
      const refused = await preflight(origin);
      expect(refused.status).toBe(405);
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
      const answer = await call(server, 'GET /api/me', { token: 'north', headers: { Origin: origin } });
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      expect(answer.headers.get('vary')).toContain('Origin');
    }
  });
});

describe('Failures', () => {
  it('a database that is away: 503 with Retry-After', async () => {
    const tenancy = createTenancy({
      url: 'postgres://nobody@127.0.0.1:1/none',
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    const broken = await startServer({ tenancy });
    const answer = await call(broken, `GET ${SUBSCRIPTIONS}`, { token: 'north' });
    await tenancy.close();
    await broken.close();
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|nobody/);
  });

  it('an unexpected one: 500 with the request id and nothing else, and its cause in the log', async () => {
    const secret = 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0';
    const failing = await startServer({
      authenticate: () => {
        throw new Error('outer', { cause: new TypeError(`inner with ${secret}`) });
      },
    });
    const answer = await call(failing, 'GET /api/me', {
      token: 'north',
      headers: { 'X-Request-Id': 'req-500' },
    });
    await failing.close();
    expect(answer).toMatchObject({ status: 500 });
    expect(answer.body).toEqual({
      type: 'about:blank',
      title: 'Internal Server Error',
      status: 500,
      detail: 'Something failed on our side; the request id finds it.',
      code: 'INTERNAL',
      request_id: 'req-500',
    });
    const logged = failing.logLines.map((line) => JSON.parse(line)).find(({ level }) => level === 'error');
    expect(logged).toMatchObject({
      request_id: 'req-500',
      error: { message: 'outer', cause: { name: 'TypeError', message: 'inner with [redacted]' } },
    });
    expect(failing.logLines.join('')).not.toContain(secret);
  });
});

describe('Logs (oauth rule 56)', () => {
  it('say who asked for what, and hold no token, secret, key or body', async () => {
    const created = await call(server, `POST ${SUBSCRIPTIONS}?x=query-secret`, {
      token: 'north',
      headers: { 'X-Request-Id': 'req-log-1' },
      body: {
        target_url: 'https://lms.example.com/hidden-path',
        event_type: '*',
        description: 'hidden-description',
        custom_headers: { Authorization: 'Bearer hidden-credential' },
      },
    });
    const { secret } = created.body as { secret: string }; // Asserted in the next line.
    expect(secret).toMatch(/^whsec_/);
    await call(server, 'POST /api/events', {
      token: 'north',
      body: badge({ idempotency_key: 'hidden-key' }),
    });
    await call(server, 'POST /api/events', { token: 'north', rawBody: '{"hidden-broken":' });
    await call(server, 'GET /api/me', { token: 'hidden-token', headers: { Cookie: 'sid=hidden-cookie' } });

    const all = server.logLines.join('');
    expect(all).not.toMatch(/hidden|query-secret|Bearer/);
    expect(all).not.toContain(secret);
    const line = server.logLines
      .map((text) => JSON.parse(text))
      .find((entry) => entry.request_id === 'req-log-1');
    expect(line).toEqual({
      level: 'info',
      time: expect.any(String),
      client_address: '127.0.0.1',
      message: 'request',
      request_id: 'req-log-1',
      method: 'POST',
      path: SUBSCRIPTIONS,
      status: 201,
      duration_ms: 0,
      organization_id: NORTH,
    });
  });
});
