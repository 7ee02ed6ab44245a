import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { User } from '../../src/accounts/statements.ts';
import { totpCode } from '../../src/lib/crypto.ts';
import { decodeBase32 } from './authenticator.ts';
import { PASSWORD } from './people.ts';
import { type Answer, openSite, type Site, type Visitor } from './site.ts';

const SET_UP = '/account/second-factor';
const RECOVERY_CODE = /(?<=<code>)[0-9a-z]{4}(?:-[0-9a-z]{4}){3}(?=<)/g;
const SESSION = 'optio_session';

let site: Site;
let ada: User;

beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
beforeEach(async () => {
  ada = await site.addUser();
  await site.join(ada, await site.addOrganization(`North ${ada.id}`), 'STUDENT');
  site.acts.length = 0;
});

type App = { readonly code: (stepsAhead?: number) => Promise<string> };

/** An authenticator app that was shown the page; its clock is the server's. */
function scan({ text }: Answer, of: Site): App {
  const [, key = ''] = /<code>([A-Z2-7 ]{32,})<\/code>/.exec(text) ?? [];
  const secret = decodeBase32(key);
  return { code: (ahead = 0) => totpCode(secret, Math.floor(of.clock.now().getTime() / 30_000) + ahead) };
}

async function setUp(
  of: Site,
  user: User,
): Promise<{ visitor: Visitor; app: App; codes: readonly string[] }> {
  const visitor = of.browse();
  await visitor.signIn(user.email, PASSWORD);
  const page = await visitor.get(SET_UP);
  const app = scan(page, of);
  const answer = await submit(visitor, page, { code: await app.code(), password: PASSWORD });
  expect(answer.status).toBe(200);
  of.clock.advance(30_000);
  return { visitor, app, codes: answer.text.match(RECOVERY_CODE) ?? [] };
}

/** Sends the form of a page that was loaded before: the secret in it must stay the one that the app has. */
function submit(visitor: Visitor, { text }: Answer, fields: Record<string, string>): Promise<Answer> {
  const hidden = [...text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  return visitor.post(SET_UP, {
    ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])),
    ...fields,
  });
}

const isIn = async (visitor: Visitor) => (await visitor.get('/account')).status === 200;

describe('setting it up', () => {
  it('offers the same secret as QR code, link and text, and stores nothing yet', async () => {
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    const { text } = await visitor.get(SET_UP);
    const [, secret] =
      /otpauth:\/\/totp\/Optio%20Connect:[^?]+\?secret=([A-Z2-7]{32})&amp;issuer=Optio\+Connect/.exec(text) ??
      [];
    expect(text.replaceAll(' ', '')).toContain(`<code>${secret}</code>`);
    expect(text).toContain('<svg');
    expect(await site.sql('SELECT FROM second_factors WHERE user_id = $1', [ada.id])).toEqual([]);
  });

  it('takes the code and the password, shows ten recovery codes once, and ends the other sessions', async () => {
    const other = site.browse();
    await other.signIn(ada.email, PASSWORD);
    const { visitor, codes } = await setUp(site, ada);
    expect(new Set(codes).size).toBe(10);
    expect([await isIn(visitor), await isIn(other)]).toEqual([true, false]);
    expect((await visitor.get(SET_UP)).text).not.toMatch(RECOVERY_CODE);
    expect((await visitor.get('/account')).text).toContain('10 recovery codes left');
    const stored = await site.sql('SELECT * FROM recovery_codes WHERE user_id = $1', [ada.id]);
    expect(stored).toHaveLength(10);
    for (const code of codes) expect(JSON.stringify(stored)).not.toContain(code);
    expect(site.acts.map(({ action }) => action)).toContain('second_factor.enabled');
  });

  it('keeps the secret sealed, for this user alone', async () => {
    await setUp(site, ada);
    const eve = await site.addUser();
    const { app } = await setUp(site, eve);
    await site.sql(
      'UPDATE second_factors SET sealed_secret = (SELECT sealed_secret FROM second_factors WHERE user_id = $2) WHERE user_id = $1',
      [ada.id, eve.id],
    );
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    expect((await visitor.send('/login/code', '/login/code', { code: await app.code() })).status).toBe(500);
  });

  it('shows the same secret again after a wrong code or password', async () => {
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    const page = await visitor.get(SET_UP);
    const app = scan(page, site);
    const wrong = await submit(visitor, page, { code: '000000', password: PASSWORD });
    expect(wrong.text).toContain('id="code-error"');
    expect(await scan(wrong, site).code()).toBe(await app.code());
    const guessed = await submit(visitor, wrong, { code: await app.code(), password: 'guess' });
    expect(guessed.text).toContain('id="password-error"');
    expect((await submit(visitor, guessed, { code: await app.code(), password: PASSWORD })).status).toBe(200);
  });

  it('is begun anew after a quarter of an hour, by somebody else, and with a secret that we did not offer', async () => {
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    const page = await visitor.get(SET_UP);
    const app = scan(page, site);
    const eve = site.browse();
    await eve.signIn((await site.addUser()).email, PASSWORD);
    const [, foreign = ''] = /name="offer" value="([^"]+)"/.exec((await eve.get(SET_UP)).text) ?? [];
    for (const offer of [foreign, '', 'AAAA']) {
      const answer = await submit(visitor, page, { code: await app.code(), password: PASSWORD, offer });
      expect(answer.status).toBe(400);
    }
    site.clock.advance(15 * 60_000 + 1);
    expect((await submit(visitor, page, { code: await app.code(), password: PASSWORD })).status).toBe(400);
    expect(await site.sql('SELECT FROM second_factors WHERE user_id = $1', [ada.id])).toEqual([]);
  });
});

describe('signing in with it', () => {
  it('asks for a code after the password, and opens a session only then', async () => {
    const { app } = await setUp(site, ada);
    const visitor = site.browse();
    const first = await visitor.signIn(ada.email, PASSWORD, '/account/password');
    expect([first.status, first.location]).toEqual([303, '/login/code?return_to=%2Faccount%2Fpassword']);
    expect(visitor.cookies.has(SESSION)).toBe(false);
    expect(await isIn(visitor)).toBe(false);
    const second = await visitor.send(first.location ?? '', '/login/code', { code: await app.code() });
    expect([second.status, second.location]).toEqual([303, '/account/password']);
    expect(await isIn(visitor)).toBe(true);
    const [row] = await site.sql(
      'SELECT second_factor_at FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 1',
      [ada.id],
    );
    expect(row?.['second_factor_at']).toEqual(site.clock.now());
  });

  it('takes a code of the step before and after, and no older or newer one', async () => {
    const { app } = await setUp(site, ada);
    site.clock.advance(300_000);
    for (const [ahead, status] of [
      [-2, 422],
      [2, 422],
      [-1, 303],
      [1, 303],
    ] as const) {
      const visitor = site.browse();
      await visitor.signIn(ada.email, PASSWORD);
      const code = await app.code(ahead);
      expect([ahead, (await visitor.send('/login/code', '/login/code', { code })).status]).toEqual([
        ahead,
        status,
      ]);
    }
  });

  it('takes no code twice, even when both come at once', async () => {
    const { app } = await setUp(site, ada);
    const visitors = Array.from({ length: 4 }, () => site.browse());
    for (const visitor of visitors) await visitor.signIn(ada.email, PASSWORD);
    const code = await app.code();
    const answers = await Promise.all(
      visitors.map((visitor) => visitor.send('/login/code', '/login/code', { code })),
    );
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(3);
  });

  it('takes each recovery code once, however it is typed', async () => {
    const { codes } = await setUp(site, ada);
    const [first = ''] = codes;
    const enter = async (code: string) => {
      const visitor = site.browse();
      await visitor.signIn(ada.email, PASSWORD);
      return (await visitor.send('/login/code', '/login/code', { code })).status;
    };
    expect(await enter(first.toUpperCase().replaceAll('-', ' '))).toBe(303);
    expect(await enter(first)).toBe(422);
    expect(site.acts.map(({ action }) => action)).toContain('second_factor.recovery_code_used');
  });

  it('ends after five wrong codes; the next sign-in has five more, and the account twenty an hour', async () => {
    const { app } = await setUp(site, ada);
    const guess = async (visitor: Visitor, code = '000000') =>
      (await visitor.send('/login/code', '/login/code', { code })).status;
    for (let signIn = 0; signIn < 4; signIn++) {
      const visitor = site.browse();
      await visitor.signIn(ada.email, PASSWORD);
      for (let tries = 0; tries < 5; tries++) expect(await guess(visitor)).toBe(422);
      expect(await guess(visitor, await app.code())).toBe(429);
    }
    const visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    expect(await guess(visitor, await app.code())).toBe(429);
  });

  it('is over after ten minutes, after the password changed, and without its cookie', async () => {
    const { app } = await setUp(site, ada);
    const late = site.browse();
    await late.signIn(ada.email, PASSWORD);
    site.clock.advance(10 * 60_000);
    expect((await late.send('/login/code', '/login/code', { code: await app.code() })).location).toBe(
      '/login?note=session-over',
    );
    const changed = site.browse();
    await changed.signIn(ada.email, PASSWORD);
    await site.sql(`UPDATE user_passwords SET hash = hash || 'x' WHERE user_id = $1`, [ada.id]);
    expect((await changed.send('/login/code', '/login/code', { code: await app.code() })).location).toBe(
      '/login?note=session-over',
    );
    expect((await site.browse().get('/login/code')).location).toBe('/login');
    const forger = site.browse();
    forger.cookies.set('optio_sign_in', 'AAAA');
    expect((await forger.send('/login/code', '/login/code', { code: '1' })).location).toBe(
      '/login?note=session-over',
    );
  });
});

describe('managing it', () => {
  it('new recovery codes ask for password and code, and the old ones are gone', async () => {
    const { visitor, app, codes } = await setUp(site, ada);
    const page = `${SET_UP}/recovery-codes`;
    const wrong = await visitor.send(page, page, { password: PASSWORD, code: '000000' });
    expect([wrong.status, wrong.text.includes('id="code-error"')]).toEqual([422, true]);
    const unproven = await visitor.send(page, page, { password: 'guess', code: await app.code() });
    expect([unproven.status, unproven.text.includes('id="password-error"')]).toEqual([422, true]);
    const { status, text } = await visitor.send(page, page, { password: PASSWORD, code: await app.code() });
    expect(status).toBe(200);
    const renewed = text.match(RECOVERY_CODE) ?? [];
    expect(renewed).toHaveLength(10);
    expect(renewed.filter((code) => codes.includes(code))).toEqual([]);
  });

  it('turning it off asks for both, ends the other sessions, and the password alone is enough again', async () => {
    const { visitor, app } = await setUp(site, ada);
    const other = site.browse();
    await other.signIn(ada.email, PASSWORD);
    await other.send('/login/code', '/login/code', { code: await app.code() });
    site.clock.advance(30_000);
    const page = `${SET_UP}/disable`;
    expect((await visitor.send(page, page, { password: PASSWORD, code: '000000' })).status).toBe(422);
    const answer = await visitor.send(page, page, { password: PASSWORD, code: await app.code() });
    expect(answer.location).toBe('/account?note=second-factor-off');
    expect([await isIn(visitor), await isIn(other)]).toEqual([true, false]);
    expect((await site.browse().signIn(ada.email, PASSWORD)).location).toBe('/account');
  });
});

describe('where admins need it', () => {
  let strict: Site;
  beforeAll(async () => {
    strict = await openSite({ requireSecondFactor: true });
  });
  afterAll(() => strict.close());

  it.each(['an organization', 'the platform'])(
    'an admin of %s gets no further than its set-up',
    async (what) => {
      const admin = await strict.addUser({ isPlatformAdmin: what === 'the platform' });
      if (what === 'an organization') await strict.join(admin, await strict.addOrganization(what), 'ADMIN');
      const visitor = strict.browse();
      await visitor.signIn(admin.email, PASSWORD);
      for (const path of ['/account', '/account/password']) {
        expect((await visitor.get(path)).location).toMatch(/^\/account\/second-factor/);
      }
      expect((await visitor.get(SET_UP)).text).toContain('Admins need a second factor');
      const headers = new Headers({ cookie: `${SESSION}=${visitor.cookies.get(SESSION)}` });
      await expect(strict.accounts.viewers.authenticate(headers)).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
        message: expect.stringContaining('/account/second-factor'),
      });
      const page = await visitor.get(`${SET_UP}?return_to=/account/password`);
      const code = await scan(page, strict).code();
      const { text } = await submit(visitor, page, { code, password: PASSWORD });
      expect(text).toContain('href="/account/password"');
      expect(await isIn(visitor)).toBe(true);
    },
  );

  it('others do not', async () => {
    const student = await strict.addUser();
    await strict.join(student, await strict.addOrganization('North'), 'STUDENT');
    const visitor = strict.browse();
    await visitor.signIn(student.email, PASSWORD);
    expect(await isIn(visitor)).toBe(true);
    await strict.sql(`UPDATE memberships SET role = 'ADMIN' WHERE user_id = $1`, [student.id]);
    expect(await isIn(visitor)).toBe(false);
  });
});
