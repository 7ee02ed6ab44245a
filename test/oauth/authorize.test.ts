import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { User } from '../../src/accounts/statements.ts';
import type { Visitor } from '../accounts/site.ts';
import {
  AUTHORIZE,
  type AuthorizationSite,
  decide,
  openAuthorizationSite,
  requestPath,
  responseOf,
} from './authorization-site.ts';
import type { TestClient } from './harness.ts';
import { REDIRECT_URI } from './people.ts';

let site: AuthorizationSite;
let client: TestClient;
let ada: User;
let visitor: Visitor;

beforeAll(async () => {
  site = await openAuthorizationSite();
  [client, ada] = await Promise.all([site.addClient(), site.addMember()]);
  visitor = await site.signedIn(ada);
});
afterAll(() => site.close());

/** Asks for a page and expects that it leads nowhere. */
async function deadEnd(path: string, by: Visitor = site.browse()): Promise<{ status: number; text: string }> {
  const { status, text, location, headers } = await by.get(path);
  expect([location, headers.get('content-type')]).toEqual([null, 'text/html; charset=utf-8']);
  return { status, text };
}

/** What the client is told about a request that is refused. */
async function refusalOf(changes: Readonly<Record<string, string | undefined>>, of = client) {
  return responseOf(await visitor.get(requestPath(of, changes)));
}

describe('the client (RFC 6749 4.1.2.1)', () => {
  test.each([
    ['unknown', 'client_id=nobody'],
    ['of impossible characters', 'client_id=%00%0d'],
    ['missing', 'state=x'],
    ['sent twice', 'client_id=a&client_id=b'],
  ])('that is %s gets a page, never a redirect (rule 1)', async (_, query) => {
    const path = `${AUTHORIZE}?${query}&response_type=code&redirect_uri=${encodeURIComponent(REDIRECT_URI)}`;
    expect((await deadEnd(path)).status).toBe(400);
    expect((await deadEnd(path, visitor)).status).toBe(400);
  });

  test.each([
    ['PENDING', 'waiting for approval', false],
    ['REJECTED', 'was rejected', true],
    ['SUSPENDED', 'is suspended', true],
  ] as const)(
    'that is %s cannot start, and the page says why (rule 16)',
    async (status, words, tellsReason) => {
      const other = await site.addClient({ status });
      await site.sql(`UPDATE oauth_clients SET status_reason = 'No <imprint>.' WHERE id = $1`, [other.id]);
      for (const by of [site.browse(), visitor]) {
        const page = await deadEnd(requestPath(other), by);
        expect(page.status).toBe(403);
        expect(page.text).toContain(words);
        expect(page.text.includes('No &lt;imprint&gt;.')).toBe(tellsReason);
      }
    },
  );

  test('that is not registered for codes is told so', async () => {
    const other = await site.addClient({ grantTypes: ['client_credentials'] });
    expect(await refusalOf({}, other)).toMatchObject({ error: 'unauthorized_client' });
  });
});

describe('the redirect URI', () => {
  const registered = 'https://lms.example:8443/cb?school=1';

  test.each([
    'https://evil.example/cb',
    'https://lms.example:8443/cb?school=1/',
    'https://lms.example:8443/cb/?school=1',
    'https://lms.example:8443/CB?school=1',
    'HTTPS://lms.example:8443/cb?school=1',
    'https://lms.example:8443/cb?school=1&x=2',
    'https://lms.example:8443/cb',
    'https://lms.example/cb?school=1',
    'https://lms.example:9443/cb?school=1',
    'https://a@lms.example:8443/cb?school=1',
    'https://lms.example:8443/x/../cb?school=1',
    'https://lms.example:8443/cb?school=1#x',
    'https://lms.example:8443/c%62?school=1',
    'http://lms.example:8443/cb?school=1',
  ])('is the registered one, character by character: %s leads to a page (rules 2, 3)', async (uri) => {
    const other = await site.addClient({ redirectUris: [registered] });
    const page = await deadEnd(requestPath(other, { redirect_uri: uri }), visitor);
    expect(page.status).toBe(400);
    expect(page.text).toContain('not among the redirect URIs');
  });

  test('keeps its own query (RFC 6749 3.1.2)', async () => {
    const other = await site.addClient({ redirectUris: [registered] });
    const { location } = await visitor.get(requestPath(other, { redirect_uri: registered, scope: 'no' }));
    expect(location).toMatch(/^https:\/\/lms\.example:8443\/cb\?school=1&error=invalid_scope&/);
  });

  test('may be on any port of a loopback address, for a client without a secret (rule 4)', async () => {
    const redirectUris = ['http://127.0.0.1/cb', 'http://[::1]:1/cb'];
    const native = await site.addClient({ type: 'PUBLIC', redirectUris });
    for (const uri of ['http://127.0.0.1/cb', 'http://127.0.0.1:53412/cb', 'http://[::1]:53412/cb']) {
      const answer = await visitor.get(requestPath(native, { redirect_uri: uri, scope: 'no' }));
      expect(responseOf(answer, `${uri}?`)).toMatchObject({ error: 'invalid_scope' });
    }
    for (const uri of [
      'http://127.0.0.1:99999/cb',
      'http://127.0.0.1:53412/other',
      'http://127.0.0.2:53412/cb',
      'http://localhost:53412/cb',
      'https://127.0.0.1:53412/cb',
      'http://127.0.0.1:53412@evil.example/cb',
      'http://127.0.0.1:1/cb?x',
    ]) {
      expect((await deadEnd(requestPath(native, { redirect_uri: uri }), visitor)).status).toBe(400);
    }
    const web = await site.addClient({ redirectUris: ['http://127.0.0.1:8080/cb'] });
    const other = { redirect_uri: 'http://127.0.0.1:53412/cb' };
    expect((await deadEnd(requestPath(web, other), visitor)).status).toBe(400);
  });

  test('may be left out where there is one, and must not where there are several or none (rule 6)', async () => {
    const left = { redirect_uri: undefined, scope: 'no' };
    expect(await refusalOf(left)).toMatchObject({ error: 'invalid_scope' });
    for (const redirectUris of [[REDIRECT_URI, 'https://lms.example/other'], []]) {
      const other = await site.addClient({ redirectUris });
      expect((await deadEnd(requestPath(other, left), visitor)).status).toBe(400);
    }
  });

  test('is shown as text where it is wrong', async () => {
    const { text } = await deadEnd(requestPath(client, { redirect_uri: 'https://x/<script>' }));
    expect(text).toContain('https://x/&lt;script&gt;');
  });
});

describe('a request that does not fit', () => {
  test.each([
    ['response_type=token (rule 7)', { response_type: 'token' }, 'unsupported_response_type'],
    ['response_type of several', { response_type: 'code id_token' }, 'unsupported_response_type'],
    ['no response_type', { response_type: undefined }, 'invalid_request'],
    ['another response_mode', { response_mode: 'fragment' }, 'invalid_request'],
    ['no code_challenge where it is required (rule 8)', { code_challenge: undefined }, 'invalid_request'],
    ['the method plain (rule 9)', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no method, which means plain (rule 9)', { code_challenge_method: undefined }, 'invalid_request'],
    ['a code_challenge that is none', { code_challenge: 'short' }, 'invalid_request'],
    ['a prompt that is none', { prompt: 'later' }, 'invalid_request'],
    ['the prompt none with another one', { prompt: 'none login' }, 'invalid_request'],
    ['an unknown scope', { scope: 'read everything' }, 'invalid_scope'],
    ['a scope that is not approved', { scope: 'write:grades' }, 'invalid_scope'],
  ])('with %s is refused', async (_, changes, error) => {
    expect(await refusalOf(changes)).toMatchObject({
      error,
      error_description: expect.stringMatching(/^[ !#-[\]-~]+$/),
      state: 'abc',
      iss: site.url,
    });
  });

  test.each(['scope', 'state', 'response_type', 'code_challenge', 'prompt'])(
    'since it repeats %s is refused (rule 12)',
    async (name) => {
      const answer = responseOf(await visitor.get(`${requestPath(client)}&${name}=code&${name}=code`));
      expect(answer).toMatchObject({ error: 'invalid_request', iss: site.url });
    },
  );

  test.each(['client_id', 'redirect_uri'])('since it repeats %s leads to a page (rule 12)', async (name) => {
    const path = `${requestPath(client)}&${name}=x`;
    expect((await deadEnd(path, visitor)).status).toBe(400);
  });

  test('is one of whom nobody knows it yet: that person signs in first (rule 13)', async () => {
    const path = requestPath(client, { scope: 'no' });
    const { status, location } = await site.browse().get(path);
    expect([status, location]).toEqual([303, `/login?return_to=${encodeURIComponent(path)}`]);
  });

  test('since it is too long for the way through sign-in says so', async () => {
    const { text, status } = await deadEnd(requestPath(client, { state: 'x'.repeat(4_001) }));
    expect(status).toBe(400);
    expect(text).toContain('4,000 characters');
  });
});

describe('a request that fits', () => {
  test('goes through sign-in and comes back to what it was (rule 13)', async () => {
    const path = requestPath(client, { state: 'a b&c=d/é"\'%' });
    const newcomer = site.browse();
    const { location } = await newcomer.get(path);
    expect(location).toMatch(/^\/login\?return_to=/);
    const signedIn = await newcomer.send(location ?? '', '/login', {
      email: ada.email,
      password: 'a walk in the rain',
    });
    expect(signedIn.status).toBe(303);
    const { status, text } = await newcomer.get(signedIn.location ?? '');
    expect(status).toBe(200);
    expect(text).toContain('asks for access');
    const answer = await decide(newcomer, signedIn.location ?? '', 'allow');
    expect(responseOf(answer)).toMatchObject({ state: 'a b&c=d/é"\'%' });
  });

  test('ignores what it does not know, however often (rule 12)', async () => {
    const other = await site.addClient();
    const { status } = await visitor.get(`${requestPath(other)}&resource=x&resource=y&nonce=`);
    expect(status).toBe(200);
  });

  test.each(['x', '%00', 'a+b', 'a%20b', '%C3%A9', '%ff%fe', 'a%3Db%26c', "'", '{"a":1}'])(
    'gets its state back byte by byte, with errors, too: %s (rule 10)',
    async (raw) => {
      for (const scope of ['read', 'no']) {
        const path = `${requestPath(client, { state: undefined, scope, prompt: 'none' })}&state=${raw}`;
        const { location } = await visitor.get(path);
        const sent = new URL(path, site.url).search.split('&state=')[1];
        expect(location?.split('&state=')[1]).toBe(sent);
      }
    },
  );

  test('gets no state where none was sent', async () => {
    for (const state of [undefined, '']) {
      const answer = responseOf(await visitor.get(requestPath(client, { state, scope: 'no' })));
      expect(Object.keys(answer ?? {})).toEqual(['error', 'error_description', 'iss']);
    }
  });

  test('may come without PKCE from a client that is exempt', async () => {
    const exempt = await site.addClient({ requiresPkce: false });
    const without = { code_challenge: undefined, code_challenge_method: undefined };
    expect((await visitor.get(requestPath(exempt, without))).status).toBe(200);
    expect((await visitor.get(requestPath(exempt))).status).toBe(200);
    const half = { ...without, code_challenge_method: 'S256' };
    expect(await refusalOf(half, exempt)).toMatchObject({ error: 'invalid_request' });
  });

  test('is answered without CORS headers, whoever asks (rule 15)', async () => {
    const headers = { origin: 'https://lms.example' };
    for (const path of [requestPath(client), `${AUTHORIZE}?client_id=nobody`]) {
      const response = await fetch(site.url + path, { headers, redirect: 'manual' });
      expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('the prompt (OpenID Connect Core 3.1.2.1)', () => {
  test('none asks nobody anything: login_required without a session (rule 13)', async () => {
    const answer = await site.browse().get(requestPath(client, { prompt: 'none' }));
    expect(responseOf(answer)).toMatchObject({ error: 'login_required', state: 'abc', iss: site.url });
  });

  test('none gets consent_required where a page would be shown, and a code where none would', async () => {
    const other = await site.addClient();
    const path = requestPath(other, { prompt: 'none' });
    expect(responseOf(await visitor.get(path))).toMatchObject({ error: 'consent_required' });
    await decide(visitor, requestPath(other), 'allow');
    expect(responseOf(await visitor.get(path))).toMatchObject({ code: expect.any(String) });
  });

  test('consent shows the page though everything was allowed before', async () => {
    const other = await site.addClient();
    await decide(visitor, requestPath(other), 'allow');
    expect((await visitor.get(requestPath(other))).status).toBe(303);
    for (const prompt of ['consent', 'select_account']) {
      expect((await visitor.get(requestPath(other, { prompt }))).status).toBe(200);
    }
  });

  test('login lets nobody through who did not sign in since', async () => {
    const grace = await site.addMember();
    const browser = await site.signedIn(grace);
    site.clock.advance(60_000);
    const { location } = await browser.get(requestPath(client, { prompt: 'login' }));
    expect(location).toMatch(/^\/login\?again=1&return_to=/);
    const page = await browser.get(location ?? '');
    expect(page.text).toContain('Password');
    const back = new URL(location ?? '', site.url).searchParams.get('return_to') ?? '';
    expect((await browser.get(back)).location).toMatch(/^\/login\?again=1/);
    const credentials = { email: grace.email, password: 'a walk in the rain' };
    const signedIn = await browser.send(location ?? '', '/login', credentials);
    expect((await browser.get(signedIn.location ?? '')).status).toBe(200);
    expect(responseOf(await decide(browser, signedIn.location ?? '', 'allow'))).toHaveProperty('code');
  });
});

describe('too many requests', () => {
  test('of one address are told to wait, and nothing of another address (rule 57)', async () => {
    const limited = await openAuthorizationSite({ limits: { requestsPerMinute: 1, failuresPerMinute: 1 } });
    const path = `${AUTHORIZE}?client_id=nobody`;
    const [one, other] = [limited.browse(), limited.browse()];
    const statuses = [];
    for (let request = 0; request < 5; request++) statuses.push((await one.get(path)).status);
    expect(statuses).toEqual([400, 400, 400, 400, 429]);
    const { headers, text } = await one.get(path);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(text).toContain('<h1>');
    expect((await other.get(path)).status).toBe(400);
    await limited.close();
  });
});
