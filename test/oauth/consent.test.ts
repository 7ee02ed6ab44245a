import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MemberRole, User } from '../../src/accounts/statements.ts';
import { PASSWORD } from '../accounts/people.ts';
import { hiddenFields, type Visitor } from '../accounts/site.ts';
import {
  type AuthorizationSite,
  decide,
  openAuthorizationSite,
  PKCE,
  requestPath,
  responseOf,
} from './authorization-site.ts';
import { inBody, type TestClient } from './harness.ts';
import { REDIRECT_URI } from './people.ts';

let site: AuthorizationSite;
let client: TestClient;
let ada: User;
let visitor: Visitor;

beforeAll(async () => {
  site = await openAuthorizationSite();
  ada = await site.addMember();
  visitor = await site.signedIn(ada);
});
afterAll(() => site.close());

/** The client exchanges the code of an answer: what it is granted. */
async function scopeOf(answer: Awaited<ReturnType<typeof decide>>, of: TestClient): Promise<unknown> {
  const { body } = await site.post('/api/oauth/token', {
    grant_type: 'authorization_code',
    code: responseOf(answer)?.['code'] ?? '',
    redirect_uri: REDIRECT_URI,
    code_verifier: PKCE.verifier,
    ...inBody(of),
  });
  return body['scope'] ?? body['error'];
}

async function entriesOf(action: string, target: string) {
  return site.sql('SELECT * FROM audit_entries WHERE action = $1 AND target_id = $2', [action, target]);
}

describe('the page', () => {
  beforeAll(async () => {
    client = await site.addClient({ name: '<b>Canvas</b>', scopes: ['read', 'write:tasks'] });
    await site.sql(
      `UPDATE oauth_clients SET homepage_url = 'https://canvas.example', policy_url = 'javascript:alert(1)'
       WHERE id = $1`,
      [client.id],
    );
  });

  test('is framed nowhere and loads nothing (rules 17, 18)', async () => {
    const { headers, text } = await visitor.get(requestPath(client));
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:; form-action 'self' https:\/\/lms\.example; base-uri 'none'; frame-ancestors 'none'$/,
    );
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(text).not.toMatch(/<script|<img|<link rel="stylesheet"| src=/);
  });

  test('tells who asks, for whom, for what, where it goes, for how long, how to end it (rule 20)', async () => {
    const { text } = await visitor.get(requestPath(client, { scope: 'read:grades write:tasks' }));
    for (const words of [
      '&lt;b&gt;Canvas&lt;/b&gt;',
      'Northfield School',
      ada.email,
      'lms.example',
      'See grades.',
      'Medium risk',
      'Start quests, and submit and complete tasks.',
      'after 90 days, or 30 without use',
      'href="/account/apps"',
      'href="https://canvas.example"',
    ]) {
      expect(text).toContain(words);
    }
    expect(text).not.toContain('<b>Canvas');
    expect(text).not.toContain('javascript:');
    expect(text).not.toContain('read:grades<');
  });

  test('gives both answers the same weight (rule 20)', async () => {
    const { text } = await visitor.get(requestPath(client));
    const buttons = [...text.matchAll(/<button type="submit" class="(\w+)" name="(\w+)" value="(\w+)">/g)];
    expect(buttons.map(([, ...parts]) => parts)).toEqual([
      ['plain', 'decision', 'deny'],
      ['plain', 'decision', 'allow'],
    ]);
  });

  test('offers another account, and comes back to the request', async () => {
    const { text } = await visitor.get(requestPath(client));
    const [, link = ''] = /<a href="(\/login\?again=1[^"]*)">Use another account/.exec(text) ?? [];
    const { location } = await visitor.send(link.replaceAll('&amp;', '&'), '/login', {
      email: (await site.addMember()).email,
      password: PASSWORD,
    });
    expect(location).toBe(requestPath(client));
    visitor = await site.signedIn(ada);
  });
});

describe('the decision', () => {
  beforeAll(async () => {
    client = await site.addClient();
  });

  test('to allow goes back with a code, the state and the issuer, by 303 (rules 10, 11, 14)', async () => {
    const answer = await decide(visitor, requestPath(client), 'allow');
    expect(answer.status).toBe(303);
    expect(responseOf(answer)).toEqual({
      code: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
      state: 'abc',
      iss: site.url,
    });
    expect(await scopeOf(answer, client)).toBe('read');
  });

  test('to allow is recorded, without the code (rule 56)', async () => {
    const other = await site.addClient({ name: 'Moodle' });
    const answer = await decide(visitor, requestPath(other), 'allow');
    const [entry, ...more] = await entriesOf('oauth_consent.given', other.id);
    expect(more).toEqual([]);
    expect(entry).toMatchObject({
      organization_id: site.school,
      actor_kind: 'USER',
      actor_id: ada.id,
      actor_label: ada.email,
      target_label: 'Moodle',
      changes: { scopes: { from: null, to: ['read'] } },
      request_id: expect.any(String),
    });
    expect(JSON.stringify(entry)).not.toContain(responseOf(answer)?.['code']);
    expect(site.log.join('\n')).not.toContain(responseOf(answer)?.['code']);
  });

  test('to deny goes back with access_denied and leaves nothing behind (rules 11, 14, 22)', async () => {
    const other = await site.addClient();
    const answer = await decide(visitor, requestPath(other), 'deny');
    expect(answer.status).toBe(303);
    expect(responseOf(answer)).toMatchObject({ error: 'access_denied', state: 'abc', iss: site.url });
    expect(await site.sql('SELECT FROM oauth_grants WHERE client_ref = $1', [other.id])).toEqual([]);
    expect(await site.sql('SELECT FROM oauth_consents WHERE client_ref = $1', [other.id])).toEqual([]);
  });

  test('needs a token of this session, this request and this page (rule 19)', async () => {
    const other = await site.addClient();
    const path = requestPath(other);
    const fields = hiddenFields((await visitor.get(path)).text, path);
    const decision = 'allow';
    const stranger = await site.signedIn(await site.addMember());
    const another = requestPath(other, { state: 'another' });
    const more = requestPath(other, { scope: 'read write:tasks' });
    const refused = [
      await visitor.post(path, { decision }),
      await visitor.post(path, { decision, form_token: 'x' }),
      await stranger.post(path, { ...fields, decision }),
      await visitor.post(another, { ...fields, decision }),
      await visitor.post(more, { ...fields, decision }),
      await visitor.post(path, { ...fields, decision }, { origin: 'https://evil.example' }),
      await visitor.post(path, { ...fields, decision }, { origin: 'null' }),
      await visitor.post(path, { ...fields, decision }, { 'sec-fetch-site': 'cross-site' }),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403));
    expect(await site.sql('SELECT FROM oauth_grants WHERE client_ref = $1', [other.id])).toEqual([]);
    expect((await visitor.post(path, { ...fields, decision: 'maybe' })).status).toBe(400);
    expect((await visitor.post(path, { ...fields, decision })).status).toBe(303);
  });

  test('is about what was shown: a scope more since then asks again (rule 22)', async () => {
    const other = await site.addClient({ scopes: ['read:quests'] });
    const path = requestPath(other, { scope: undefined });
    const fields = hiddenFields((await visitor.get(path)).text, path);
    await site.sql(`UPDATE oauth_clients SET scopes = '{read}' WHERE id = $1`, [other.id]);
    expect((await visitor.post(path, { ...fields, decision: 'allow' })).status).toBe(403);
  });

  test('counts for a client and a member who are still that', async () => {
    const other = await site.addClient();
    const path = requestPath(other);
    const fields = hiddenFields((await visitor.get(path)).text, path);
    await site.sql(`UPDATE oauth_clients SET status = 'SUSPENDED' WHERE id = $1`, [other.id]);
    const answer = await visitor.post(path, { ...fields, decision: 'allow' });
    expect([answer.status, answer.location]).toEqual([403, null]);
  });

  test('without a session leads through sign-in back to the page', async () => {
    const path = requestPath(await site.addClient());
    const { status, location } = await site.browse().post(path, { decision: 'allow' });
    expect([status, location]).toEqual([303, `/login?return_to=${encodeURIComponent(path)}`]);
  });
});

describe('who may decide', () => {
  test('is a member of the client’s organization, whichever they act for', async () => {
    const other = await site.addClient();
    const south = await site.addOrganization('Southgate');
    const stranger = await site.addUser();
    await site.join(stranger, south, 'ADMIN');
    const browser = await site.signedIn(stranger);
    const { status, text, location } = await browser.get(requestPath(other));
    expect([status, location]).toEqual([403, null]);
    expect(text).toContain('you are not a member there');
    expect(text).toContain('error=access_denied');
    expect(responseOf(await browser.get(requestPath(other, { prompt: 'none' })))).toMatchObject({
      error: 'access_denied',
    });
    await site.join(stranger, site.school, 'STUDENT');
    expect((await browser.get(requestPath(other))).status).toBe(200);
  });

  test.each([
    ['STUDENT', 'write:users write:tasks read:grades', 'read:grades write:tasks'],
    ['STUDENT', 'write', 'read write:tasks'],
    ['EDUCATOR', 'write read:webhooks', 'write'],
    ['ADMIN', 'write:webhooks read:users', 'read:users write:webhooks'],
  ] as const)('a %s who is asked for %s grants %s (rule 22)', async (role: MemberRole, asked, granted) => {
    const other = await site.addClient({ scopes: ['write', 'write:webhooks', 'read:events'] });
    const browser = await site.signedIn(await site.addMember(role));
    const answer = await decide(browser, requestPath(other, { scope: asked }), 'allow');
    expect(await scopeOf(answer, other)).toBe(granted);
  });

  test('has a role that allows something of it (rule 22)', async () => {
    const other = await site.addClient({ scopes: ['write:users'] });
    const { status, text } = await visitor.get(requestPath(other, { scope: 'write:users' }));
    expect(status).toBe(403);
    expect(text).toContain('more than a student of Northfield School may allow');
  });
});

describe('what was allowed before', () => {
  test('is not asked for again, nor is a part of it; a scope more is, and marked (rule 21)', async () => {
    const other = await site.addClient();
    await decide(visitor, requestPath(other), 'allow');
    for (const scope of ['read', 'read:quests', 'read:grades read:users']) {
      const answer = await visitor.get(requestPath(other, { scope }));
      expect([answer.status, await scopeOf(answer, other)]).toEqual([303, scope]);
    }
    const more = requestPath(other, { scope: 'read write:tasks' });
    const { status, text } = await visitor.get(more);
    expect(status).toBe(200);
    expect(text.match(/<li>[^<]*<span[^>]*>[^<]*<\/span>( <span class="tag">New<\/span>)?/g)).toEqual([
      expect.not.stringContaining('New'),
      expect.stringMatching(/Start quests.*New/),
    ]);
    await decide(visitor, more, 'allow');
    expect((await visitor.get(requestPath(other))).status).toBe(303);
    expect((await visitor.get(more)).status).toBe(303);
    expect(await entriesOf('oauth_consent.given', other.id)).toHaveLength(2);
  });

  test('is of one person and one client (rule 21)', async () => {
    const [one, another] = [await site.addClient(), await site.addClient()];
    await decide(visitor, requestPath(one), 'allow');
    expect((await visitor.get(requestPath(another))).status).toBe(200);
    const browser = await site.signedIn(await site.addMember());
    expect((await browser.get(requestPath(one))).status).toBe(200);
  });

  test('is asked for again where another program could answer at the redirect URI (RFC 8252 8.6)', async () => {
    const native = { type: 'PUBLIC' as const, redirectUris: ['http://127.0.0.1/cb', 'app.example:/cb'] };
    const other = await site.addClient(native);
    for (const redirect_uri of ['http://127.0.0.1:5000/cb', 'app.example:/cb']) {
      const path = requestPath(other, { redirect_uri });
      expect(responseOf(await decide(visitor, path, 'allow'), redirect_uri)).toHaveProperty('code');
      expect((await visitor.get(path)).status).toBe(200);
    }
  });

  test('is over at once when it is taken back while a request is on its way', async () => {
    const other = await site.addClient();
    await decide(visitor, requestPath(other), 'allow');
    const locker = await site.pool.connect();
    await locker.query('BEGIN');
    await locker.query('DELETE FROM oauth_consents WHERE client_ref = $1', [other.id]);
    const coming = visitor.get(requestPath(other));
    await waitForLock(site);
    await locker.query('COMMIT');
    locker.release();
    expect((await coming).status).toBe(200);
    const alive = 'SELECT FROM oauth_grants WHERE client_ref = $1 AND revoked_at IS NULL';
    expect(await site.sql(alive, [other.id])).toEqual([]);
  });
});

/** Until somebody waits for a row that somebody else holds. */
async function waitForLock({ sql }: AuthorizationSite): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const waiting = await sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
      AND datname = current_database()`);
    if (waiting.length > 0) return;
  }
  throw new Error('Nobody waited for a lock.');
}
