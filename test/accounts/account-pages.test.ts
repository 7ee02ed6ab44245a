import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { User } from '../../src/accounts/statements.ts';
import { PASSWORD } from './people.ts';
import { openSite, type Site, type Visitor } from './site.ts';

const SESSION = 'optio_session';
const NEW_PASSWORD = 'another walk in the rain';

let site: Site;
let ada: User;
let north: string;

beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
beforeEach(async () => {
  ada = await site.addUser();
  north = await site.addOrganization(`North ${ada.id}`);
  await site.join(ada, north);
});

async function signedIn(user = ada, password = PASSWORD): Promise<Visitor> {
  const visitor = site.browse();
  expect((await visitor.signIn(user.email, password)).status).toBe(303);
  return visitor;
}

const isIn = async (visitor: Visitor) => (await visitor.get('/account')).status === 200;

describe('every page of the account', () => {
  it.each(['/account', '/account/password', '/account/second-factor', '/account/second-factor/disable'])(
    '%s asks for a session',
    async (path) => {
      const { status, location } = await site.browse().get(path);
      expect([status, location?.startsWith('/login')]).toEqual([303, true]);
    },
  );

  it.each([
    '/account/organization',
    '/account/sessions/end',
    '/account/sessions/end-others',
    '/account/password',
    '/account/second-factor',
    '/account/second-factor/recovery-codes',
    '/account/second-factor/disable',
  ])('POST %s asks for a session, and for a form of ours', async (path) => {
    expect((await site.browse().post(path, {})).location).toMatch(/^\/login/);
    const visitor = await signedIn();
    expect((await visitor.post(path, {})).status).toBe(403);
    const eve = await signedIn(await site.addUser());
    const { text } = await eve.get('/logout');
    const [, token = ''] = /name="form_token" value="([^"]+)"/.exec(text) ?? [];
    expect((await visitor.post(path, { form_token: token })).status).toBe(403);
  });
});

describe('another organization', () => {
  it('is chosen with a new token; the role is the one there', async () => {
    const south = await site.addOrganization('South');
    await site.join(ada, south, 'STUDENT');
    const visitor = await signedIn();
    const before = visitor.cookies.get(SESSION) ?? '';
    const { text } = await visitor.get('/account');
    const [other] = [north, south].filter((id) => text.includes(`value="${id}"`));
    const answer = await visitor.send('/account', '/account/organization', { organization_id: other ?? '' });
    expect(answer.location).toBe('/account?note=organization');
    expect(visitor.cookies.get(SESSION)).not.toBe(before);
    const stale = site.browse();
    stale.cookies.set(SESSION, before);
    expect(await isIn(stale)).toBe(false);
    expect(await isIn(visitor)).toBe(true);
  });

  it('of somebody else is not there', async () => {
    const south = await site.addOrganization('South');
    const third = await site.addOrganization('Third');
    await site.join(ada, third);
    const visitor = await signedIn();
    const answer = await visitor.send('/account', '/account/organization', { organization_id: south });
    expect(answer.status).toBe(404);
    expect(await isIn(visitor)).toBe(true);
  });

  it('is asked for when the membership has ended', async () => {
    const visitor = await signedIn();
    await site.join(ada, await site.addOrganization('Next'));
    await site.sql('DELETE FROM memberships WHERE user_id = $1 AND organization_id = $2', [ada.id, north]);
    expect((await visitor.get('/account')).text).toContain('Choose the organization');
  });
});

describe('one’s sessions', () => {
  it('are ended one by one', async () => {
    const [here, there] = [await signedIn(), await signedIn()];
    expect((await here.send('/account', '/account/sessions/end')).location).toBe('/account?note=ended');
    expect([await isIn(here), await isIn(there)]).toEqual([true, false]);
  });

  it('are ended all but this one', async () => {
    const [here, ...others] = [await signedIn(), await signedIn(), await signedIn()];
    await here.send('/account', '/account/sessions/end-others');
    expect(await Promise.all([here, ...others].map(isIn))).toEqual([true, false, false]);
  });

  it('of somebody else are not there', async () => {
    const eve = await signedIn(await site.addUser());
    const [visitor] = [await signedIn(), await signedIn()];
    const [row] = await site.sql(
      'SELECT s.id FROM sessions s WHERE s.user_id <> $1 ORDER BY s.id DESC LIMIT 1',
      [ada.id],
    );
    const answer = await visitor.send('/account', '/account/sessions/end', {
      session_id: String(row?.['id']),
    });
    expect(answer.status).toBe(404);
    expect(await isIn(eve)).toBe(true);
  });
});

describe('the password', () => {
  it('is changed with the present one; every other session ends, and this one has a new token', async () => {
    const [here, there] = [await signedIn(), await signedIn()];
    const before = here.cookies.get(SESSION);
    const answer = await here.send('/account/password', '/account/password', {
      current_password: PASSWORD,
      new_password: NEW_PASSWORD,
    });
    expect([answer.status, answer.location]).toEqual([303, '/account?note=password']);
    expect(here.cookies.get(SESSION)).not.toBe(before);
    expect([await isIn(here), await isIn(there)]).toEqual([true, false]);
    expect((await site.browse().signIn(ada.email, PASSWORD)).status).toBe(422);
    await signedIn(ada, NEW_PASSWORD);
    expect(site.acts.some(({ action, userId }) => action === 'password.changed' && userId === ada.id)).toBe(
      true,
    );
  });

  it.each([
    ['wrong present password', 'wrong', NEW_PASSWORD, 'current_password-error', 'not your present password'],
    ['a short one', PASSWORD, 'short', 'new_password-error', 'at least 12 characters'],
    ['the same one', PASSWORD, PASSWORD, 'new_password-error', 'another password than the present'],
    ['a common one', PASSWORD, 'Password2026!', 'new_password-error', 'first that are guessed'],
    ['the own name', PASSWORD, 'lovelace.1815', 'new_password-error', 'name or the email'],
  ])('is not changed with %s, which is said beside the field', async (_, ...[current, next, id, message]) => {
    const visitor = await signedIn();
    const fields = { current_password: current, new_password: next };
    const { status, text } = await visitor.send('/account/password', '/account/password', fields);
    expect(status).toBe(422);
    expect(text).toContain(`aria-describedby="${id.startsWith('new') ? 'new_password-hint ' : ''}${id}"`);
    expect(text).toMatch(new RegExp(`id="${id}">.*${message}`, 's'));
    expect(text).not.toContain(`value="${next}"`);
    expect(await isIn(visitor)).toBe(true);
    await signedIn();
  });

  it('is not guessed in a session that was left open', async () => {
    const visitor = await signedIn();
    const guess = (current: string) =>
      visitor.send('/account/password', '/account/password', {
        current_password: current,
        new_password: NEW_PASSWORD,
      });
    for (let tries = 0; tries < 10; tries++) expect((await guess('guess')).status).toBe(422);
    const refused = await guess(PASSWORD);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).not.toBeNull();
  });
});

describe('a failure', () => {
  it('is a page that shows the id of its request', async () => {
    const { status, text, headers } = await site.browse().post('/login', {});
    expect(status).toBe(403);
    expect(headers.get('content-type')).toContain('text/html');
    expect(text).toContain(headers.get('x-request-id'));
  });
});
