import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Call, call, PUBLIC_URL, startServer, type TestServer } from './support.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const PATH = '/api/oauth/clients';
const NEW = { name: 'Gradebook', redirect_uris: ['https://lms.example/oauth/callback'] };

/** Calls as the person whose session it is, from a program. */
const as = (who: string, what: string, options: Call = {}) =>
  call(server, what, {
    ...options,
    headers: { cookie: `session=${who}`, 'x-requested-with': 'curl', ...options.headers },
  });

type Client = { id: string; client_id: string; client_secret: string; version: number };

async function register(body: object = NEW): Promise<Client> {
  const answer = await as('north-admin', `POST ${PATH}`, { body });
  expect(answer.status).toBe(201);
  return answer.body as Client; // As 201 has it.
}

describe('POST /api/oauth/clients', () => {
  it('answers client_id and client_secret once, 201, not to be stored', async () => {
    const { status, headers, body } = await as('north-admin', `POST ${PATH}`, { body: NEW });
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      client_id: expect.stringMatching(/^[A-Za-z0-9]{20}$/),
      client_secret: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
      name: 'Gradebook',
      type: 'confidential',
      preset: 'generic',
      status: 'pending',
      redirect_uris: [],
      scopes: [],
      requested: {
        redirect_uris: NEW.redirect_uris,
        scopes: ['read'],
        grant_types: ['authorization_code', 'refresh_token'],
        requires_pkce: true,
      },
      version: 1,
    });
    const { id, client_secret } = body as Client; // As it was matched.
    expect(headers.get('location')).toBe(`${PATH}/${id}`);
    const again = await as('north-admin', `GET ${PATH}/${id}`);
    expect(again.headers.get('cache-control')).toBe('no-store');
    expect(JSON.stringify(again.body)).not.toContain(client_secret);
    expect(server.logLines.join('')).not.toContain(client_secret);
  });

  it('answers the same, with the secret, to the same Idempotency-Key', async () => {
    const headers = { 'idempotency-key': 'gradebook-1' };
    const first = await as('north-admin', `POST ${PATH}`, { body: NEW, headers });
    const again = await as('north-admin', `POST ${PATH}`, { body: NEW, headers });
    expect(again).toMatchObject({ status: 201, body: { ...Object(first.body), deduplicated: true } });
  });

  it('names every fault with its path, and fields that there are not', async () => {
    const body = { name: '', redirect_uris: ['http://lms.example/cb'], scopes: ['all'] };
    expect(await as('north-admin', `POST ${PATH}`, { body })).toMatchObject({
      status: 422,
      body: {
        code: 'VALIDATION',
        errors: [{ path: 'name' }, { path: 'redirect_uris.0' }, { path: 'scopes.0' }],
      },
    });
    expect(await as('north-admin', `POST ${PATH}`, { body: { ...NEW, redirect_uri: 'x' } })).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'redirect_uri', message: 'There is no such field here.' }] },
    });
  });
});

describe('A client by its id or client_id', () => {
  it('is listed, read, changed, given a new secret, and deleted', async () => {
    const { id, client_id, client_secret } = await register();
    const list = await as('north-admin', `GET ${PATH}?limit=1&status=pending`);
    expect(list).toMatchObject({
      status: 200,
      body: { data: [{ id, client_id }], next_cursor: expect.any(String) },
    });
    expect(await as('north-admin', `GET ${PATH}/${client_id}`)).toMatchObject({ status: 200, body: { id } });
    expect(
      await as('north-admin', `PUT ${PATH}/${client_id}`, { body: { name: 'Grades', expected_version: 1 } }),
    ).toMatchObject({
      status: 200,
      body: { name: 'Grades', version: 2 },
    });
    expect(
      await as('north-admin', `PUT ${PATH}/${id}`, { body: { name: 'Late', expected_version: 1 } }),
    ).toMatchObject({
      status: 409,
      body: { code: 'CONFLICT' },
    });
    const rotated = await as('north-admin', `POST ${PATH}/${id}/rotate-secret`, {
      body: { overlap_seconds: 60 },
    });
    expect(rotated).toMatchObject({ status: 200, body: { secrets: [{ expires_at: null }, {}] } });
    expect(Object(rotated.body).client_secret).not.toBe(client_secret);
    expect(rotated.headers.get('cache-control')).toBe('no-store');
    expect((await as('north-admin', `POST ${PATH}/${id}/rotate-secret`)).status).toBe(200);
    expect((await as('north-admin', `DELETE ${PATH}/${client_id}`)).status).toBe(204);
    expect((await as('north-admin', `GET ${PATH}/${id}`)).status).toBe(404);
  });

  it('is 404 for another organization', async () => {
    const { id, client_id } = await register();
    for (const named of [id, client_id]) {
      expect((await as('south-admin', `GET ${PATH}/${named}`)).status).toBe(404);
      expect((await as('south-admin', `PUT ${PATH}/${named}`, { body: { name: 'Ours' } })).status).toBe(404);
      expect((await as('south-admin', `POST ${PATH}/${named}/rotate-secret`)).status).toBe(404);
      expect((await as('south-admin', `DELETE ${PATH}/${named}`)).status).toBe(404);
    }
    expect(await as('south-admin', `GET ${PATH}`)).toMatchObject({ body: { data: [] } });
  });
});

describe('A session at the REST door', () => {
  it('is needed: without one it is 401, and a token is told that none is good for it', async () => {
    expect(await call(server, `GET ${PATH}`)).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining(`${PUBLIC_URL}/login`) },
    });
    expect(await call(server, `POST ${PATH}`, { token: 'north', body: NEW })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('no access token is good for it') },
    });
    expect(await as('north-educator', `GET ${PATH}`)).toMatchObject({ status: 403 });
  });

  it.each([
    ['a page of another origin', { origin: 'https://evil.example', 'x-requested-with': 'x' }],
    ['a page without an origin', { origin: 'null', 'x-requested-with': 'x' }],
    ['a page that says nothing of itself', {}],
    ['a page of the same site', { 'sec-fetch-site': 'same-site' }],
  ])('does nothing for %s', async (_, headers) => {
    const request = { body: NEW, headers: { cookie: 'session=north-admin', ...headers } };
    const answer = await call(server, `POST ${PATH}`, request);
    expect(answer).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  });

  it.each([
    ['our own page', { origin: PUBLIC_URL }],
    ['our own page, as browsers say it', { 'sec-fetch-site': 'same-origin' }],
    ['a program with the header', { 'x-requested-with': 'curl' }],
  ])('acts for %s', async (_, headers) => {
    const answer = await call(server, `POST ${PATH}`, {
      body: NEW,
      headers: { cookie: 'session=north-admin', ...headers },
    });
    expect(answer.status).toBe(201);
  });

  it('is not for a form of any page, whatever it says', async () => {
    const answer = await call(server, `POST ${PATH}`, {
      rawBody: JSON.stringify(NEW),
      headers: { cookie: 'session=north-admin', 'content-type': 'text/plain', 'x-requested-with': 'x' },
    });
    expect(answer.status).toBe(415);
  });

  it('is good for no other route: those are for tokens', async () => {
    expect((await as('north-admin', 'GET /api/webhooks/subscriptions')).status).toBe(401);
  });
});
