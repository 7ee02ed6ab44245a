/** Every URL of the whole server, the demo's too: docs/who-may.md names its guard, and the guard is there. */
import { inspectRoutes } from 'hono/dev';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { type Prepared, prepare } from '../../src/prepare.ts';
import { createTestDatabase, TEST_KEY, type TestDatabase } from '../support/database.ts';
import { GUARDS } from './tables.ts';

const PUBLIC_URL = 'http://localhost:4000';
/** An address that no request of this machine comes from (RFC 5737). */
const STRANGER = '192.0.2.7';

let database: TestDatabase;
let prepared: Prepared;
let app: App;

beforeAll(async () => {
  database = await createTestDatabase();
  const config = readConfig({
    DATABASE_URL: database.ownerUrl,
    MASTER_KEY: TEST_KEY.toString('base64'),
    DEMO: '1',
    ROLE: 'api',
    SMTP_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'connect@optio.example',
  });
  const log = createLog({ level: 'error', pretty: false });
  prepared = await prepare({ config, log, clock: systemClock, port: 4_000 });
  app = await startApp({ config, log, clock: systemClock, prepared, publicUrl: PUBLIC_URL });
});
afterAll(async () => {
  await app.stop();
  await prepared.stop();
  await database.drop();
});

/** Middleware is no route, nor is what answers a path's other methods with 405. */
const REFUSES_METHODS = / \/(api\/oauth|\.well-known)\//;

function mountedRoutes(): readonly string[] {
  const routes = inspectRoutes({ routes: app.routes } as Parameters<typeof inspectRoutes>[0]); // All it looks at.
  return routes
    .filter(({ method, isMiddleware }) => method !== 'ALL' || !isMiddleware)
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    .filter((route) => !(route.startsWith('ALL ') && REFUSES_METHODS.test(route)))
    .map((route) => route.replace(/ \/(docs|graphql)\/[^/]+\/[^/]+$/, ' /$1/{version}/{file}'));
}

test('docs/who-may.md names every route there is, with one guard: a new one goes into the row of its guard', () => {
  const named = GUARDS.flatMap(({ routes }) => routes);
  expect(named.toSorted()).toEqual([...new Set(mountedRoutes())].toSorted());
});

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string };

/** Asks as somebody without anything; forms and JSON are empty. */
async function ask(
  route: string,
  change: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const [method = '', path = ''] = route.replace('ALL ', 'POST ').split(' ');
  const file = app.routes.find(
    (one) => one.path.startsWith(path.split('{version}')[0] ?? '') && one.path.length > path.length,
  );
  const url = path.includes('{version}') ? (file?.path ?? path) : path.replaceAll(/\{\w+\}/g, 'some');
  const isForm = !path.startsWith('/api/') || /^\/api\/oauth\/(?!clients)/.test(path);
  const body = isForm
    ? new URLSearchParams(
        path === '/graphql'
          ? {}
          : { grant_type: 'client_credentials', client_id: 'nobody', client_secret: 'guess' },
      )
    : '{}';
  const response = await app.fetch(
    new Request(`${PUBLIC_URL}${url}`, {
      method,
      ...(method === 'GET' || method === 'DELETE' ? {} : { body }),
      ...change,
      headers: { ...(isForm ? {} : { 'content-type': 'application/json' }), ...change.headers },
    }),
    STRANGER,
  );
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const routesOf = (guard: string): readonly string[] =>
  GUARDS.find((row) => row.guard === guard)?.routes ?? expect.fail(`There is no guard "${guard}".`);

describe('Without credentials', () => {
  test.for(routesOf('anyone'))('%s is answered: it is for anyone', async (route) => {
    const { status, headers } = await ask(route, { headers: { accept: 'text/html' } });
    expect([status, headers.get('location')]).toEqual(
      // There is nothing to type a code for.
      route === 'GET /login/code' ? [303, '/login'] : [200, null],
    );
  });

  test.for(routesOf('this machine, or METRICS_TOKEN'))('%s is 401 from elsewhere', async (route) => {
    expect(await ask(route)).toMatchObject({ status: 401 });
  });

  test.for(routesOf('access token'))('%s is 401 with a challenge, also with a cookie', async (route) => {
    for (const headers of [{}, { cookie: 'optio_session=abc' }, { authorization: 'Bearer abc' }]) {
      const answer = await ask(route, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /);
    }
  });

  test.for(routesOf('access token or session, asked by each field'))(
    '%s answers what anyone may ask alone',
    async (route) => {
      const body = JSON.stringify({ query: '{ scopes { name } organization { id } }' });
      const { text } = await ask(route, { body, headers: { 'content-type': 'application/json' } });
      expect(JSON.parse(text)).toMatchObject({
        data: { organization: null },
        errors: [{ path: ['organization'], extensions: { code: 'UNAUTHENTICATED' } }],
      });
    },
  );

  test.for(routesOf('client authentication'))('%s is 401 invalid_client', async (route) => {
    const { status, text } = await ask(route);
    expect([status, JSON.parse(text)]).toMatchObject([401, { error: 'invalid_client' }]);
  });

  test.for(routesOf('session, for programs'))('%s is 401, and 403 to another page', async (route) => {
    const others = [
      {},
      { cookie: 'optio_session=abc', 'x-requested-with': 'curl' },
      { authorization: 'Bearer abc' },
      { origin: PUBLIC_URL },
    ];
    for (const headers of others) expect((await ask(route, { headers })).status).toBe(401);
    if (route.startsWith('GET ')) return;
    for (const origin of [
      {},
      { origin: 'https://evil.example', 'x-requested-with': 'x' },
      { origin: 'null' },
    ]) {
      const headers = { cookie: 'optio_session=abc', ...origin };
      expect((await ask(route, { headers })).status).toBe(403);
    }
  });

  test.for(routesOf('session'))('%s leads to the sign-in page', async (route) => {
    for (const headers of [{}, { cookie: 'optio_session=abc' }]) {
      const answer = await ask(route, { headers: { origin: PUBLIC_URL, ...headers } });
      expect([answer.status, answer.headers.get('location')]).toEqual([
        303,
        expect.stringMatching(/^\/login\b/),
      ]);
    }
  });

  test.for(routesOf('a form of our own page'))(
    '%s does nothing that our own page did not send',
    async (route) => {
      const { status, headers } = await ask(route, { headers: { origin: PUBLIC_URL } });
      const refusals = [
        [403, null],
        [303, '/login?note=session-over'],
      ];
      expect(refusals).toContainEqual([status, headers.get('location')]);
    },
  );

  test.for(routesOf('a client that may ask, then a session'))(
    '%s leads nowhere without a client that is known',
    async (route) => {
      const { status, headers } = await ask(route);
      expect([status, headers.get('location')]).toEqual([400, null]);
    },
  );

  test.for(routesOf('a link out of a mail'))('%s says that the link is not good', async (route) => {
    const { status, text } = await ask(route);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(text).toContain('<h1>');
  });

  test.for(routesOf('a signature of ours'))('%s is 401', async (route) => {
    expect(await ask(route.replace('{behaviour}', 'ok'))).toMatchObject({ status: 401 });
  });

  test('no guard is left out here', () => {
    expect(GUARDS).toHaveLength(11);
  });
});
