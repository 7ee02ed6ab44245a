/** What pages may make a browser do here: CORS, CSRF, sessions by cookie (GraphQL convention 8). */
import { createClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { post, startServer, type TestServer } from './support.ts';
import { VIEWERS } from './viewers.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer(({ authenticate }) => ({
    // A cookie is a session, as it is for the server as a whole.
    authenticate: async (headers) =>
      headers.get('cookie') === 'session=lin' && !headers.has('authorization')
        ? (VIEWERS['north-admin'] ?? null)
        : authenticate(headers),
  }));
});
afterAll(() => server.close());
afterEach(() => vi.restoreAllMocks());

const TYPENAME = { query: '{ __typename }' };

function send(init: RequestInit & { headers?: Record<string, string> }, query = ''): Promise<Response> {
  return fetch(`${server.url}${query}`, init);
}

describe('CSRF (convention 8)', () => {
  const write = vi.fn<TestServer['tenancy']['write']>();
  const form = 'query=mutation%7BcancelDelivery%28input%3A%7Bid%3A%22x%22%7D%29%7B__typename%7D%7D';

  test.for([
    ['application/x-www-form-urlencoded', form],
    ['text/plain', JSON.stringify(TYPENAME)],
    ['multipart/form-data; boundary=x', '--x--'],
    ['application/graphql', '{ __typename }'],
    [undefined, JSON.stringify(TYPENAME)],
  ] as const)('a POST of %s does not execute', async ([contentType, body]) => {
    vi.spyOn(server.tenancy, 'write').mockImplementation(write);
    const response = await send({
      method: 'POST',
      headers: {
        authorization: 'Bearer north',
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      },
      body: new TextEncoder().encode(body),
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }],
    });
    expect(write).not.toHaveBeenCalled();
  });

  test('a GET executes only with a header that browsers ask for first, or from our own page', async () => {
    const query = '?query=%7B__typename%7D';
    expect((await send({}, query)).status).toBe(403);
    for (const headers of [
      { 'graphql-require-preflight': '1' },
      { 'x-requested-with': 'XMLHttpRequest' },
      { authorization: 'Bearer north' },
      { 'sec-fetch-site': 'same-origin' },
    ]) {
      const response = await send({ headers }, query);
      expect(await response.json()).toMatchObject({ data: { __typename: 'Query' } });
    }
    expect((await send({ headers: { 'sec-fetch-site': 'cross-site' } }, query)).status).toBe(403);
  });
});

describe('CORS (convention 8)', () => {
  test.for(['https://admin.example', 'https://optio.example'])('lets %s in', async (origin) => {
    const asked = await preflight(origin);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(origin);
    expect(asked.headers.get('access-control-allow-headers')).toContain('authorization');
    const { headers } = await post(server, 'north', TYPENAME, { origin });
    expect(headers.get('access-control-allow-origin')).toBe(origin);
    expect(headers.get('access-control-allow-credentials')).toBe('true');
    expect(headers.get('vary')).toContain('Origin');
  });

  test.for(['https://evil.example', 'null', 'https://admin.example.evil.example', 'http://admin.example'])(
    'lets %s read nothing',
    async (origin) => {
      const asked = await preflight(origin);
      expect(asked.headers.has('access-control-allow-origin')).toBe(false);
      const { headers } = await post(server, 'north', TYPENAME, { origin });
      expect(headers.has('access-control-allow-origin')).toBe(false);
      expect(headers.has('access-control-allow-credentials')).toBe(false);
    },
  );
});

describe('A session by cookie (convention 8)', () => {
  const SESSION = { cookie: 'session=lin' };
  const VIEWER = { query: '{ viewer { role } }' };
  const ask = async (headers: Record<string, string>) => {
    const { status, data, errors } = await post(server, undefined, VIEWER, { ...SESSION, ...headers });
    return errors?.[0]?.extensions?.['code'] ?? { status, data };
  };
  const ANSWER = { status: 200, data: { viewer: { role: 'ADMIN' } } };

  test('serves our own pages, as the browser says that they are', async () => {
    expect(await ask({ origin: 'https://optio.example' })).toEqual(ANSWER);
    expect(await ask({ 'sec-fetch-site': 'same-origin' })).toEqual(ANSWER);
    // Whatever address the server is reached by: here it is another one than it calls itself.
    expect(await ask({ 'sec-fetch-site': 'same-origin', origin: server.url.slice(0, -8) })).toEqual(ANSWER);
  });

  test.for([
    'graphql-require-preflight',
    'apollo-require-preflight',
    'x-graphql-yoga-csrf',
    'x-requested-with',
  ])('serves listed pages that send %s', async (name) => {
    const page = { origin: 'https://admin.example', 'sec-fetch-site': 'cross-site' };
    expect(await ask({ ...page, [name]: '1' })).toEqual(ANSWER);
  });

  test.for<readonly [string, Record<string, string>]>([
    ['without such a header', {}],
    ['of a listed page without such a header', { origin: 'https://admin.example' }],
    ['of a page of the same site', { 'sec-fetch-site': 'same-site' }],
    ['of another page', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['of another page that sends the header', { origin: 'https://evil.example', 'x-requested-with': '1' }],
    ['of a page without an origin', { origin: 'null', 'x-requested-with': '1' }],
  ])('refuses JSON %s', async ([, headers]) => {
    expect(await ask(headers)).toBe('CSRF_PREVENTED');
  });

  test('refuses a form and a link, whatever the browser adds', async () => {
    const write = vi.spyOn(server.tenancy, 'write');
    const read = vi.spyOn(server.tenancy, 'read');
    const forged = { ...SESSION, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    const form = new URLSearchParams({
      query: 'mutation { cancelDelivery(input: { id: "x" }) { __typename } }',
    });
    const posted = await send({ method: 'POST', headers: forged, body: form });
    expect(posted.status).toBe(415);
    const linked = await send({ headers: forged }, '?query=%7Borganization%7Bslug%7D%7D');
    expect(linked.status).toBe(403);
    expect(write).not.toHaveBeenCalled();
    expect(read).not.toHaveBeenCalled();
  });

  test('does not stand in the way of a token: whose it is decides', async () => {
    const { data } = await post(server, 'north', VIEWER, SESSION);
    expect(data).toEqual({ viewer: { role: 'CLIENT' } });
  });

  test('opens a WebSocket for listed pages alone', async () => {
    const open = (origin: string) =>
      createClient({
        url: server.webSocketUrl,
        retryAttempts: 0,
        webSocketImpl: class extends WebSocket {
          constructor(url: string, protocols: string) {
            super(url, protocols, { headers: { ...SESSION, origin } });
          }
        },
      });
    const ours = open('https://optio.example');
    const { value } = await ours.iterate(VIEWER).next();
    expect(value?.data).toEqual({ viewer: { role: 'ADMIN' } });
    await ours.dispose();
    await expect(open('https://evil.example').iterate(VIEWER).next()).rejects.toMatchObject({
      message: expect.stringMatching(/403/),
    });
  });
});

function preflight(origin: string): Promise<Response> {
  return send({
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    },
  });
}
