import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localPath } from '../../src/accounts/pages/return-to.ts';
import { NOBODYS_HASH } from '../../src/accounts/password-check.ts';
import type { User } from '../../src/accounts/statements.ts';
import { hashPassword, verifyPassword } from '../../src/lib/crypto.ts';
import { PASSWORD } from './people.ts';
import { hiddenFields, openSite, type Site } from './site.ts';

const REFUSED = 'Email address and password do not fit together.';
const SESSION = 'optio_session';

let site: Site;
let ada: User;
let north: string;

beforeAll(async () => {
  site = await openSite();
  ada = await site.addUser({ email: 'ada@school.example' });
  north = await site.addOrganization();
  await site.join(ada, north);
});
afterAll(() => site.close());

describe('signing in', () => {
  it('opens a session, whose token is a cookie that no script can read, and goes on by GET', async () => {
    const visitor = site.browse();
    const answer = await visitor.signIn('ada@school.example', PASSWORD);
    expect([answer.status, answer.location]).toEqual([303, '/account']);
    const cookie = answer.headers.getSetCookie().find((line) => line.startsWith(`${SESSION}=`));
    expect(cookie).toMatch(/^optio_session=[A-Za-z0-9]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
    const { status, text } = await visitor.get('/account');
    expect(status).toBe(200);
    expect(text).toContain('Ada Lovelace');
    expect(text).toContain('Firefox on Linux');
  });

  it('takes the address as people type it', async () => {
    expect((await site.browse().signIn(' ADA@School.Example ', PASSWORD)).status).toBe(303);
  });

  it('says the same of an unknown address, a wrong password, a deactivated user and what is no address', async () => {
    const eve = await site.addUser({ email: 'eve@school.example' });
    await site.sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [eve.id]);
    const tries: [string, string][] = [
      ['nobody@school.example', PASSWORD],
      ['ada@school.example', 'a walk in the sun'],
      ['eve@school.example', PASSWORD],
      ['no address', PASSWORD],
      ['ada@school.example', ''],
      ['ada@school.example', 'x'.repeat(5_000)],
    ];
    for (const [email, password] of tries) {
      const visitor = site.browse();
      const { status, text } = await visitor.signIn(email, password);
      expect([status, text.includes(REFUSED)]).toEqual([422, true]);
      expect(visitor.cookies.has(SESSION)).toBe(false);
      expect(withoutDetails(text)).toBe(
        withoutDetails((await site.browse().signIn('x@y.example', 'z')).text),
      );
    }
  });

  it('checks nobody’s password with the work of everybody’s', async () => {
    const parameters = (hash: string) => hash.split('$').slice(0, 4);
    expect(parameters(NOBODYS_HASH)).toEqual(parameters(await hashPassword(PASSWORD)));
    expect(await verifyPassword(NOBODYS_HASH, '')).toBe(false);
  });

  it('ends the session that the browser had before', async () => {
    const visitor = site.browse();
    await visitor.signIn('ada@school.example', PASSWORD);
    const before = visitor.cookies.get(SESSION) ?? '';
    const { text } = await site.browse().get('/login');
    expect(text).toContain('Sign in');
    const visit = site.browse();
    const page = await visit.get('/login');
    visit.cookies.set(SESSION, before);
    await visit.post('/login', {
      ...hiddenFields(page.text, '/login'),
      email: ada.email,
      password: PASSWORD,
    });
    expect(visit.cookies.get(SESSION)).not.toBe(before);
    const stale = site.browse();
    stale.cookies.set(SESSION, before);
    expect((await stale.get('/account')).location).toBe('/login');
  });

  it('is over before it begins for who has signed in already', async () => {
    const visitor = site.browse();
    await visitor.signIn('ada@school.example', PASSWORD);
    const { status, location } = await visitor.get('/login?return_to=/account/password');
    expect([status, location]).toEqual([303, '/account/password']);
  });

  it('records who began a session, and that somebody was refused, without what was typed', async () => {
    site.acts.length = 0;
    await site.browse('203.0.113.77').signIn('ada@school.example', 'wrong password');
    await site.browse('203.0.113.78').signIn('nobody@school.example', 'wrong password');
    await site.browse('203.0.113.79').signIn('ada@school.example', PASSWORD);
    expect(site.acts).toMatchObject([
      { action: 'session.refused', userId: ada.id, sessionId: null, address: '203.0.113.77' },
      { action: 'session.refused', userId: null, address: '203.0.113.78' },
      { action: 'session.started', userId: ada.id, organizationId: north, address: '203.0.113.79' },
    ]);
    expect(JSON.stringify(site.acts)).not.toMatch(/nobody|wrong password/);
  });
});

/** What differs from page to page by right: the token of the form, and the address that was typed. */
function withoutDetails(text: string): string {
  return text
    .replace(/name="form_token" value="[^"]*"/, '')
    .replace(/(type="email"[^>]*) value="[^"]*"/, '$1');
}

describe('the form', () => {
  it('is refused without its token, with one of another browser, and without its cookie', async () => {
    const [visitor, other] = [site.browse(), site.browse()];
    await visitor.get('/login');
    const foreign = hiddenFields((await other.get('/login')).text, '/login');
    const credentials = { email: ada.email, password: PASSWORD };
    for (const token of [{}, foreign]) {
      const { status, text } = await visitor.post('/login', { ...credentials, ...token });
      expect([status, text.includes('no longer valid')]).toEqual([403, true]);
    }
    const own = hiddenFields((await visitor.get('/login')).text, '/login');
    visitor.cookies.clear();
    expect((await visitor.post('/login', { ...credentials, ...own })).status).toBe(403);
    expect(visitor.cookies.has(SESSION)).toBe(false);
  });

  it('is refused from another origin', async () => {
    const visitor = site.browse();
    const fields = hiddenFields((await visitor.get('/login')).text, '/login');
    const all = { ...fields, email: ada.email, password: PASSWORD };
    const answer = await visitor.post('/login', all, { origin: 'https://evil.example' });
    expect(answer.status).toBe(403);
    expect(answer.text).toContain(new URL(site.url).origin);
  });

  it('escapes the address that it shows once more', async () => {
    const { text } = await site.browse().signIn('"><script>alert(1)</script>@x', 'y');
    expect(text).not.toContain('<script>');
  });
});

describe('where to go afterwards', () => {
  it.each(['/account/password', '/api/oauth/authorize?client_id=a&state=%2F%2F', '/'])(
    'is %s',
    async (path) => {
      expect((await site.browse().signIn(ada.email, PASSWORD, path)).location).toBe(path);
    },
  );

  it.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    'javascript:alert(1)',
    'account',
    '',
    `/${'x'.repeat(5_000)}`,
  ])('is never elsewhere: %j', async (path) => {
    expect(localPath(path)).toBe('/account');
    const page = await site.browse().get(`/login?return_to=${encodeURIComponent(path)}`);
    expect(hiddenFields(page.text, '/login')['return_to']).toBe('/account');
  });

  it('is not where a forged field says', async () => {
    const answer = await site.browse().send('/login', '/login', {
      email: ada.email,
      password: PASSWORD,
      return_to: '//evil.example',
    });
    expect(answer.location).toBe('/account');
  });

  it('is the page that asked for a session', async () => {
    const { location } = await site.browse().get('/account/password?x=1');
    expect(location).toBe('/login?return_to=%2Faccount%2Fpassword%3Fx%3D1');
  });
});

describe('guessing', () => {
  it('at one account from one address ends after ten tries, with a word when to come again', async () => {
    const bob = await site.addUser({ email: 'bob@school.example' });
    const eve = site.browse('203.0.113.1');
    for (let tries = 0; tries < 10; tries++) expect((await eve.signIn(bob.email, 'guess')).status).toBe(422);
    const refused = await eve.signIn(bob.email, PASSWORD);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(800);
    expect(refused.text).toContain('Too many tries. Wait 15 minutes');
    expect(eve.cookies.has(SESSION)).toBe(false);
    // The real Bob sits elsewhere, and others sit beside the guesser.
    expect((await site.browse('203.0.113.2').signIn(bob.email, PASSWORD)).status).toBe(303);
    expect((await site.browse('203.0.113.1').signIn(ada.email, PASSWORD)).status).toBe(303);
  });

  it('is not quicker many at once', async () => {
    const bob = await site.addUser({ email: 'bob2@school.example' });
    const visitors = Array.from({ length: 30 }, () => site.browse('203.0.113.5'));
    const answers = await Promise.all(visitors.map((visitor) => visitor.signIn(bob.email, 'guess')));
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(20);
  });

  it('counts an IPv6 network as one address', async () => {
    const bob = await site.addUser({ email: 'bob3@school.example' });
    for (let tries = 0; tries < 10; tries++)
      await site.browse(`2001:db8::${tries + 1}`).signIn(bob.email, 'guess');
    expect((await site.browse('2001:db8::ffff').signIn(bob.email, PASSWORD)).status).toBe(429);
    expect((await site.browse('2001:db8:0:1::1').signIn(bob.email, PASSWORD)).status).toBe(303);
  });

  it('is forgotten once the password was right', async () => {
    const bob = await site.addUser({ email: 'bob4@school.example' });
    for (let round = 0; round < 3; round++) {
      for (let tries = 0; tries < 8; tries++) await site.browse('203.0.113.9').signIn(bob.email, 'guess');
      expect((await site.browse('203.0.113.9').signIn(bob.email, PASSWORD)).status).toBe(303);
    }
  });
});

describe('signing out', () => {
  it('asks first, ends the session, and takes the cookie away', async () => {
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    const token = visitor.cookies.get(SESSION) ?? '';
    const asked = await visitor.get('/logout');
    expect(asked.text).toContain('Sign out?');
    expect((await visitor.get('/account')).status).toBe(200);
    const answer = await visitor.send('/logout', '/logout');
    expect([answer.status, answer.location]).toEqual([303, '/login?note=signed-out']);
    expect(visitor.cookies.has(SESSION)).toBe(false);
    expect((await visitor.get('/login?note=signed-out')).text).toContain('You are signed out.');
    visitor.cookies.set(SESSION, token);
    expect((await visitor.get('/account')).location).toBe('/login');
  });

  it('is not done by a form of another site', async () => {
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    expect((await visitor.post('/logout', {})).status).toBe(403);
    expect((await visitor.get('/account')).status).toBe(200);
  });

  it('is no question without a session', async () => {
    expect((await site.browse().get('/logout')).location).toBe('/login');
    expect((await site.browse().post('/logout', {})).location).toBe('/login?note=signed-out');
  });
});

describe('behind https', () => {
  it('the cookies belong to this host alone, and browsers stay with https', async () => {
    const secure = await openSite({ https: true });
    try {
      const user = await secure.addUser();
      const visitor = secure.browse();
      const answer = await visitor.signIn(user.email, PASSWORD);
      expect(answer.headers.getSetCookie().find((line) => line.startsWith('__Host-optio_session='))).toMatch(
        /; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      );
      expect(answer.headers.get('strict-transport-security')).toContain('max-age=');
      const { text } = await visitor.get('/account');
      expect(text).toContain('You are not a member of any organization yet.');
    } finally {
      await secure.close();
    }
  });
});
