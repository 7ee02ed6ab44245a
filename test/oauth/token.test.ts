import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOAuth } from '../../src/oauth/authorization-server.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import {
  basic,
  GRANT,
  type Harness,
  inBody,
  MASTER_KEYS,
  refusal,
  startHarness,
  type TestClient,
} from './harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

describe('the request (OAuth rules 31 and 32)', () => {
  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('31: %s is 405 and names POST', async (method) => {
    const response = await fetch(`${harness.issuer}/api/oauth/token`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.json()).toMatchObject({ error: 'invalid_request' });
  });

  test.each(['client_id', 'client_secret', 'client_assertion', 'code', 'refresh_token', 'password'])(
    '31: refuses %s in the query',
    async (name) => {
      const response = await fetch(`${harness.issuer}/api/oauth/token?${name}=x`, {
        method: 'POST',
        body: new URLSearchParams({ ...GRANT, ...inBody(harness.client) }),
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: 'invalid_request' });
    },
  );

  test.each(['application/json', 'multipart/form-data', 'text/plain', ''])(
    '32: refuses the content type %j',
    async (type) => {
      const form = formOf(harness.client);
      expect(await harness.post(form, { 'content-type': type })).toMatchObject(
        refusal(400, 'invalid_request'),
      );
    },
  );

  test('32: takes a form that names its charset', async () => {
    const type = { 'content-type': 'Application/X-WWW-Form-Urlencoded; charset=UTF-8' };
    expect((await harness.post({ ...GRANT, ...inBody(harness.client) }, type)).status).toBe(200);
  });

  test('refuses more than 64 KiB, whether or not the length is announced', async () => {
    const form = `${formOf(harness.client)}&padding=${'x'.repeat(64 * 1_024)}`;
    expect(await harness.post(form)).toMatchObject(refusal(413, 'invalid_request'));
    expect(await postChunked(form)).toMatchObject({ status: 413, body: { error: 'invalid_request' } });
  });

  test('takes a body of unknown length within the limit', async () => {
    const form = formOf(harness.client);
    expect(await postChunked(form)).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
  });

  test('refuses a parameter that was sent twice, even an unknown one', async () => {
    const form = formOf(harness.client);
    expect(await harness.post(`${form}&scope=read&scope=read`)).toMatchObject(
      refusal(400, 'invalid_request'),
    );
    expect(await harness.post(`${form}&x=1&x=2`)).toMatchObject(refusal(400, 'invalid_request'));
  });

  test('ignores an unknown parameter and treats one without a value as not sent', async () => {
    const answer = await harness.post({
      ...GRANT,
      ...inBody(harness.client),
      audience: 'anything',
      scope: '',
    });
    expect(answer.status).toBe(200);
    expect(await harness.post({ ...inBody(harness.client), grant_type: '' })).toMatchObject(
      refusal(400, 'invalid_request'),
    );
  });

  test.each(['password', 'implicit', 'urn:example:unknown', '__proto__', 'constructor'])(
    'refuses the grant type %s',
    async (grantType) => {
      const answer = await harness.post({ ...inBody(harness.client), grant_type: grantType });
      expect(answer).toMatchObject(refusal(400, 'unsupported_grant_type'));
    },
  );
});

describe('the answer (OAuth rules 38 to 40, 42)', () => {
  test('38, 39: JSON that nobody stores, with a number of seconds and the scope', async () => {
    const answer = await harness.post({ ...GRANT, ...inBody(harness.client), scope: 'read:quests' });
    expect(answer.body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 3_600,
      scope: 'read:quests',
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['pragma']).toBe('no-cache');
    expect(answer.headers['content-type']).toBe('application/json');
  });

  test('40: a client uses only the grants it is registered for', async () => {
    const client = await harness.addClient({ grantTypes: ['authorization_code'] });
    expect(await harness.post({ ...GRANT, ...inBody(client) })).toMatchObject(
      refusal(400, 'unauthorized_client'),
    );
  });

  test.each(['PENDING', 'REJECTED', 'SUSPENDED'] as const)(
    'a client that is %s gets no token',
    async (status) => {
      const client = await harness.addClient();
      await harness.owner.query('UPDATE oauth_clients SET status = $1::"OAuthClientStatus" WHERE id = $2', [
        status,
        client.id,
      ]);
      expect(await harness.post({ ...GRANT, ...inBody(client) })).toMatchObject(
        refusal(400, 'unauthorized_client'),
      );
      const wrong = { client_id: client.clientId, client_secret: 'wrong' };
      expect(await harness.post({ ...GRANT, ...wrong })).toMatchObject(refusal(401, 'invalid_client'));
    },
  );

  test('42: a page of another origin is given no CORS headers', async () => {
    const answer = await harness.post(
      { ...GRANT, ...inBody(harness.client) },
      { origin: 'https://lms.example' },
    );
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('when something is wrong with the server', () => {
  test('a database that is away is 503 temporarily_unavailable with Retry-After, and nothing to report', async () => {
    const pool = createPool({
      url: 'postgres://nobody@127.0.0.1:9/none',
      maxConnections: 1,
      onIdleError: () => undefined,
    });
    const reported: unknown[] = [];
    const response = await postTo(pool, reported);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' });
    expect(reported).toEqual([]);
    await pool.end();
  });

  test('56: an unexpected failure is reported and tells the client nothing', async () => {
    const url = new URL(harness.authUrl);
    url.pathname = '/postgres'; // A database without our tables.
    const pool = createPool({ url: url.href, maxConnections: 1, onIdleError: () => undefined });
    const reported: unknown[] = [];
    const response = await postTo(pool, reported);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({
      error: 'server_error',
      error_description: 'The server failed at an unexpected place.',
    });
    expect(reported).toHaveLength(1);
    expect(describeError(reported[0])).not.toContain(harness.client.secret);
    await pool.end();
  });

  test('56: no refusal repeats what it was given', async () => {
    const secret = 'tell-nobody-7c1f';
    const header = basic(harness.client.clientId, secret);
    for (const answer of [
      await harness.post(GRANT, header),
      await harness.post({ ...GRANT, client_secret: secret }, header),
      await harness.post({ ...GRANT, client_id: secret, client_secret: secret }),
      await harness.post({ grant_type: secret }, header),
      await harness.post(`${secret}=1&${secret}=2`, header),
    ]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify(answer)).not.toContain(secret);
    }
    expect(harness.reported).toEqual([]);
  });
});

function formOf(client: TestClient): string {
  return new URLSearchParams({ ...GRANT, ...inBody(client) }).toString();
}

function postTo(pool: Harness['pool'], reported: unknown[]): Response | Promise<Response> {
  const { issuer, clock } = harness;
  const reportError = (error: unknown): void => void reported.push(error);
  const oauth = createOAuth({
    pool,
    masterKeys: MASTER_KEYS,
    issuer,
    clock,
    refusals: { note: () => undefined },
    reportError,
    onReuse: reportError,
  });
  return oauth.routes.request('/api/oauth/token', {
    method: 'POST',
    body: new URLSearchParams({ ...GRANT, ...inBody(harness.client) }),
  });
}

function describeError(error: unknown): string {
  return JSON.stringify(error, Object.getOwnPropertyNames(error));
}

/** fetch announces a length whenever it can. */
async function postChunked(form: string): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${harness.issuer}/api/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'transfer-encoding': 'chunked' },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      resolve(json(response).then((body) => ({ status: response.statusCode, body })));
    });
    for (let at = 0; at < form.length; at += 8_192) outgoing.write(form.slice(at, at + 8_192));
    outgoing.end();
  });
}
