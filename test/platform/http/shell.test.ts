import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { turnableClock } from '../../../src/lib/clock.ts';
import { AppError, type ErrorCode, validationError } from '../../../src/lib/errors.ts';
import { createHealthRoutes } from '../../../src/platform/http/health.ts';
import { createHttpShell } from '../../../src/platform/http/shell.ts';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { createLog } from '../../../src/platform/log.ts';
import { listen } from '../../rest/support.ts';

type Running = { readonly origin: string; readonly lines: Record<string, unknown>[] };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(
  routes: Hono,
  { https = false, trustedProxies = '' }: { https?: boolean; trustedProxies?: string } = {},
): Promise<Running> {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const clock = turnableClock(new Date('2026-11-23T09:30:00Z'));
  const app = createHttpShell({
    log: createLog({ level: 'info', pretty: false, destination }),
    clock,
    https,
    trustedProxies: parseCidrs(trustedProxies),
    maxBodyBytes: 1_024,
  });
  app.use('/slow', async (_, next) => {
    clock.advance(250);
    await next();
  });
  app.route('/', routes);
  const { server, origin } = await listen(app.fetch);
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return { origin, lines };
}

function throwing(error: unknown): Hono {
  return new Hono().get('/', () => {
    throw error;
  });
}

describe('Request ids', () => {
  it.each(['abc', '01a20ac3-a382-73ed-ba6f-d45e567264f0', 'Root=1-67891233-abcdef012345678912345678'])(
    'takes over %s',
    async (id) => {
      const { origin, lines } = await start(new Hono().get('/', (c) => c.text('ok')));
      const response = await fetch(origin, { headers: { 'X-Request-Id': id } });
      expect(response.headers.get('x-request-id')).toBe(id);
      expect(lines).toMatchObject([{ request_id: id }]);
    },
  );

  it.each(['a b', '"><script>', 'x'.repeat(129), '', '\u00e4', '-rf'])(
    'makes one instead of %j',
    async (id) => {
      const { origin } = await start(new Hono().get('/', (c) => c.text('ok')));
      const response = await fetch(origin, { headers: { 'X-Request-Id': id } });
      expect(response.headers.get('x-request-id')).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/,
      );
    },
  );

  it('answers it whatever the handler returned', async () => {
    const { origin } = await start(new Hono().get('/', () => new Response('raw')));
    expect((await fetch(origin)).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('The access log', () => {
  it('holds method, path without query, status and duration', async () => {
    const { origin, lines } = await start(new Hono().get('/slow', (c) => c.text('ok', 201)));
    await (await fetch(`${origin}/slow?token=hidden`)).text();
    expect(lines).toMatchObject([
      { message: 'request', method: 'GET', path: '/slow', status: 201, duration_ms: 250 },
    ]);
    expect(JSON.stringify(lines)).not.toContain('hidden');
  });

  it('holds the address at the other end of the socket, whatever a client claims', async () => {
    const { origin, lines } = await start(new Hono().get('/', (c) => c.text('ok')));
    await fetch(origin, { headers: { 'X-Forwarded-For': '192.0.2.7', Forwarded: 'for=192.0.2.7' } });
    expect(lines).toMatchObject([{ client_address: '127.0.0.1' }]);
  });

  it('holds the address that a trusted proxy tells', async () => {
    const { origin, lines } = await start(
      new Hono().get('/', (c) => c.text('ok')),
      { trustedProxies: '127.0.0.0/8' },
    );
    await fetch(origin, { headers: { 'X-Forwarded-For': '203.0.113.9, 192.0.2.7' } });
    expect(lines).toMatchObject([{ client_address: '192.0.2.7' }]);
  });

  it('is quiet about probes', async () => {
    const health = createHealthRoutes({
      pingDatabase: async () => undefined,
      isMigrated: async () => true,
      isStopping: () => false,
    });
    const { origin, lines } = await start(health);
    expect((await fetch(`${origin}/readyz`)).status).toBe(200);
    expect(lines).toEqual([]);
  });
});

const shown = (response: Response) => Object.fromEntries(response.headers);

describe('Security headers', () => {
  const DEFAULTS = {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  };

  it('stand on every answer: pages, refusals, failures', async () => {
    const routes = new Hono()
      .get('/', (c) => c.text('ok'))
      .get('/fail', () => {
        throw new Error('x');
      });
    const { origin } = await start(routes);
    for (const path of ['/', '/fail', '/nowhere']) {
      expect(shown(await fetch(origin + path))).toMatchObject(DEFAULTS);
    }
  });

  it('leave what a handler says itself', async () => {
    const own = { 'Cache-Control': 'public, max-age=300', 'Referrer-Policy': 'same-origin' };
    const { origin } = await start(new Hono().get('/', (c) => c.text('ok', 200, own)));
    expect(shown(await fetch(origin))).toMatchObject({
      ...DEFAULTS,
      'cache-control': 'public, max-age=300',
      'referrer-policy': 'same-origin',
    });
  });

  it('bind browsers to https only where that is how the server is reached (RFC 6797 7.2)', async () => {
    const routes = new Hono().get('/', (c) => c.text('ok'));
    const [plain, secure] = [await start(routes), await start(routes, { https: true })];
    expect((await fetch(plain.origin)).headers.get('strict-transport-security')).toBeNull();
    expect((await fetch(secure.origin)).headers.get('strict-transport-security')).toMatch(/^max-age=\d+/);
  });
});

describe('Problem details, RFC 9457', () => {
  it.each<[ErrorCode, number, string]>([
    ['BAD_REQUEST', 400, 'Bad Request'],
    ['UNAUTHENTICATED', 401, 'Unauthorized'],
    ['FORBIDDEN', 403, 'Forbidden'],
    ['NOT_FOUND', 404, 'Not Found'],
    ['CONFLICT', 409, 'Conflict'],
    ['PAYLOAD_TOO_LARGE', 413, 'Content Too Large'],
    ['VALIDATION', 422, 'Unprocessable Content'],
    ['RATE_LIMITED', 429, 'Too Many Requests'],
    ['UNAVAILABLE', 503, 'Service Unavailable'],
  ])('print %s as %d', async (code, status, title) => {
    const { origin } = await start(throwing(new AppError(code, 'Words for people.')));
    const response = await fetch(origin, { headers: { 'X-Request-Id': 'r1' } });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title,
      status,
      detail: 'Words for people.',
      code,
      request_id: 'r1',
    });
  });

  it('hold the path of each fault', async () => {
    const { origin } = await start(
      throwing(
        validationError([
          { path: ['events', 3, 'event'], message: 'a' },
          { path: [], message: 'b' },
        ]),
      ),
    );
    expect(await (await fetch(origin)).json()).toMatchObject({
      errors: [
        { path: 'events.3.event', message: 'a' },
        { path: '', message: 'b' },
      ],
    });
  });

  it.each<ErrorCode>(['RATE_LIMITED', 'UNAVAILABLE'])(
    'of %s say in whole seconds when to come back',
    async (code) => {
      const { origin } = await start(throwing(new AppError(code, 'Later.', { retryAfterSeconds: 1.2 })));
      expect((await fetch(origin)).headers.get('retry-after')).toBe('2');
    },
  );

  it('tell nothing of an unexpected error, which is logged once with its cause', async () => {
    const { origin, lines } = await start(throwing(new Error('inner words', { cause: new Error('why') })));
    const response = await fetch(origin);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/inner words|why|\.ts/);
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      { error: { message: 'inner words', cause: { message: 'why' } } },
    ]);
  });

  it('of the caller are not in the log as failures', async () => {
    const { origin, lines } = await start(throwing(new AppError('CONFLICT', 'x')));
    await fetch(origin);
    expect(lines).toMatchObject([{ level: 'info', message: 'request', status: 409 }]);
  });
});

describe('Misses', () => {
  it('are 405 with Allow where the path has other methods (RFC 9110 15.5.6), also with parameters', async () => {
    const routes = new Hono().get('/a/:id', (c) => c.text('ok')).delete('/a/:id', (c) => c.text('ok'));
    const { origin } = await start(routes);
    const response = await fetch(`${origin}/a/7`, { method: 'POST' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('DELETE, GET, HEAD');
    expect((await fetch(`${origin}/a/7`, { method: 'HEAD' })).status).toBe(200);
  });

  it('are 404 elsewhere', async () => {
    const { origin } = await start(new Hono().get('/a/:id', (c) => c.text('ok')));
    const response = await fetch(`${origin}/a`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ detail: 'There is nothing at /a.', code: 'NOT_FOUND' });
  });
});

describe('The body limit', () => {
  it('lets through what fits to the byte, and answers 413 to one byte more', async () => {
    const { origin } = await start(
      new Hono().post('/', async (c) => c.text(String((await c.req.text()).length))),
    );
    const post = (bytes: number) => fetch(origin, { method: 'POST', body: 'x'.repeat(bytes) });
    expect(await (await post(1_024)).text()).toBe('1024');
    const refused = await post(1_025);
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});
