/** /forgot, /reset and /invitation, through a browser without scripts. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inviteTo } from './inviting.ts';
import { PASSWORD } from './people.ts';
import { openSite, type Site } from './site.ts';

const CHOSEN = 'seventeen quiet herons';

let site: Site;
let organizationId: string;
let email: string;
let count = 0;

beforeAll(async () => {
  site = await openSite();
  organizationId = await site.addOrganization('North <School>');
});
afterAll(() => site.close());
beforeEach(() => {
  count += 1;
  email = `ada-${count}@school.example`;
});

/** Asks for a link on the page; answers its path. */
async function linkFor(address: string): Promise<string> {
  const link = site.mailbox.nextLink(address);
  await site.browse().send('/forgot', '/forgot', { email: address });
  return link;
}

const invitationFor = (address: string) => inviteTo(site, organizationId, address);

const canSignIn = async (address: string, password: string) =>
  (await site.browse().signIn(address, password)).status === 303;

describe('a forgotten password', () => {
  it('is replaced by way of the mailbox', async () => {
    await site.addUser({ email });
    expect((await site.browse().get('/login')).text).toContain('<a href="/forgot">');
    const link = await linkFor(email);
    expect(link).toMatch(/^\/reset\?token=[A-Za-z0-9]{43}$/);
    const visitor = site.browse();
    const page = await visitor.get(link);
    expect(page.text).toContain(email);
    const answer = await visitor.send(link, '/reset', { password: CHOSEN });
    expect([answer.status, answer.location]).toEqual([303, '/login?note=password-reset']);
    expect((await visitor.get('/login?note=password-reset')).text).toContain('Your new password is set.');
    expect(await canSignIn(email, CHOSEN)).toBe(true);
    expect(await canSignIn(email, PASSWORD)).toBe(false);
  });

  it('is asked for with the same answer, whether the address has an account', async () => {
    await site.addUser({ email });
    const visitor = site.browse();
    const answers = await Promise.all(
      [email, 'nobody@elsewhere.example'].map((address) =>
        visitor.send('/forgot', '/forgot', { email: address }),
      ),
    );
    for (const { status, location, text } of answers) {
      expect([status, location, text]).toEqual([303, '/forgot?note=sent', '']);
    }
    expect((await visitor.get('/forgot?note=sent')).text).toContain('If there is an account');
  });

  it('needs an address', async () => {
    const { status, text } = await site.browse().send('/forgot', '/forgot', { email: 'a<b>' });
    expect(status).toBe(422);
    expect(text).toContain('An email address is expected');
    expect(text).toContain('value="a&lt;b&gt;"');
  });

  it('is asked for so often, for one account from one place, and then not', async () => {
    const visitor = site.browse();
    const send = (address: string) => visitor.send('/forgot', '/forgot', { email: address });
    for (let tries = 0; tries < 5; tries += 1) expect((await send(email)).status).toBe(303);
    const refused = await send(` ${email.toUpperCase()}`);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.text).toContain('Too many tries');
    // Others behind the same address, and the same person elsewhere, go on.
    expect((await send(`b-${email}`)).status).toBe(303);
    expect((await site.browse().send('/forgot', '/forgot', { email })).status).toBe(303);
  });

  it('cannot be helped where there is no mail, and the page says so', async () => {
    const silent = await openSite({ canMail: false });
    const { status, text } = await silent.browse().get('/forgot');
    expect(status).toBe(503);
    expect(text).toContain('This server cannot send mail');
    expect((await silent.browse().post('/forgot', { email })).status).toBe(503);
    await silent.close();
  });
});

describe('an invitation', () => {
  it('makes an account, with name and password, and a member', async () => {
    const link = await invitationFor(email);
    const visitor = site.browse();
    const { text } = await visitor.get(link);
    expect(text).toContain('North &lt;School&gt; invites you');
    expect(text).toContain('an educator');
    expect(text).toContain('value="Ada"');
    const answer = await visitor.send(link, '/invitation', { name: 'Ada Lovelace', password: CHOSEN });
    expect([answer.status, answer.location]).toEqual([303, '/login?note=joined']);
    await visitor.signIn(email, CHOSEN);
    const account = await visitor.get('/account');
    expect(account.text).toContain('Ada Lovelace');
    expect(account.text).toContain('North &lt;School&gt;');
  });

  it('asks somebody who has an account for nothing but a click', async () => {
    await site.addUser({ email });
    const link = await invitationFor(email);
    const visitor = site.browse();
    const { text } = await visitor.get(link);
    expect(text).toContain('You have an account already');
    expect(text).not.toContain('type="password"');
    expect((await visitor.send(link, '/invitation')).location).toBe('/login?note=joined');
    expect(await canSignIn(email, PASSWORD)).toBe(true);
  });

  it('shows what is wrong beside the fields, and what was typed', async () => {
    const link = await invitationFor(email);
    const fields = { name: 'Ada <Lovelace>', password: 'short' };
    const { status, text } = await site.browse().send(link, '/invitation', fields);
    expect(status).toBe(422);
    expect(text).toContain('at least 12 characters');
    expect(text).toContain('value="Ada &lt;Lovelace&gt;"');
    expect(text).not.toContain('value="short"');
  });
});

describe.each([
  ['/reset', () => site.addUser({ email }).then(() => linkFor(email)), { password: CHOSEN }],
  ['/invitation', () => invitationFor(email), { name: 'Ada', password: CHOSEN }],
] as const)('the link of %s', (path, getLink, fields) => {
  it('is not used up by being opened, as mail scanners do', async () => {
    const link = await getLink();
    for (let scans = 0; scans < 3; scans += 1) expect((await site.browse().get(link)).status).toBe(200);
    expect((await site.browse().send(link, path, fields)).status).toBe(303);
  });

  it('is good once', async () => {
    const link = await getLink();
    const visitor = site.browse();
    const page = await visitor.get(link);
    const token = new URL(link, 'http://localhost').searchParams.get('token') ?? '';
    const formToken = /name="form_token" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const post = () => visitor.post(path, { ...fields, token, form_token: formToken });
    expect((await post()).status).toBe(303);
    const again = await post();
    expect(again.status).toBe(404);
    expect(again.text).toContain('not good any more');
    expect((await visitor.get(link)).status).toBe(404);
  });

  it('tells no other server of itself, and loads nothing from one', async () => {
    const { headers, text } = await site.browse().get(await getLink());
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(text).not.toMatch(/(src|href)="https?:/);
  });

  it('stands in no log', async () => {
    const link = await getLink();
    await site.browse().send(link, path, fields);
    const token = new URL(link, 'http://localhost').searchParams.get('token') ?? '';
    expect(site.log.length).toBeGreaterThan(0);
    expect(site.log.join('')).not.toContain(token);
    expect(site.log.join('')).not.toContain(CHOSEN);
  });

  it('is used by our own form alone (CSRF)', async () => {
    const link = await getLink();
    const token = new URL(link, 'http://localhost').searchParams.get('token') ?? '';
    const visitor = site.browse();
    expect((await visitor.post(path, { ...fields, token })).status).toBe(403);
    const page = await visitor.get(link);
    const formToken = /name="form_token" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
    const forged = { ...fields, token, form_token: formToken };
    const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    expect((await visitor.post(path, forged, foreign)).status).toBe(403);
    expect((await visitor.post(path, forged)).status).toBe(303);
  });

  it.each(['', '?token=', `?token=${'x'.repeat(43)}`, `?token=${'x'.repeat(4_000)}`, '?token=<script>'])(
    'that is none (%s) is a page that says so',
    async (query) => {
      const { status, text } = await site.browse().get(`${path}${query}`);
      expect(status).toBe(404);
      expect(text).toContain('not good any more');
      expect(text).not.toContain('<script>');
    },
  );
});
