import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { User } from '../../src/accounts/statements.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { PLATFORM } from '../../src/audit/entry.ts';
import { PASSWORD } from './people.ts';
import { openSite, type Site, type Visitor } from './site.ts';

let site: Site;
let ada: User;
let north: string;
let visitor: Visitor;

beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());
beforeEach(async () => {
  ada = await site.addUser();
  north = await site.addOrganization(`North ${ada.id}`);
  await site.join(ada, north);
  visitor = site.browse();
  await visitor.signIn(ada.email, PASSWORD);
});

function authenticate(headers: Readonly<Record<string, string>> = {}): Promise<Viewer | null> {
  const cookie = `optio_session=${visitor.cookies.get('optio_session')}`;
  return site.accounts.viewers.authenticate(new Headers({ cookie, ...headers }));
}

async function viewerNow(): Promise<Viewer> {
  const viewer = await authenticate();
  if (viewer === null) throw new Error('There is no viewer.');
  return viewer;
}

describe('the viewer of a session', () => {
  it('is its user in the organization that it acts for, bounded by the role alone', async () => {
    expect(await viewerNow()).toMatchObject({
      organizationId: north,
      role: 'ADMIN',
      userId: ada.id,
      clientId: null,
      scopes: null,
      tokenId: null,
      session: { isPlatformAdmin: false },
    });
  });

  it('has another role from the next request on, and none once the membership has ended', async () => {
    await site.join(ada, north, 'STUDENT');
    expect(await viewerNow()).toMatchObject({ role: 'STUDENT' });
    await site.sql('DELETE FROM memberships WHERE user_id = $1', [ada.id]);
    await expect(authenticate()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('/account'),
    });
  });

  it('is an admin of the platform also without an organization, where the role is none', async () => {
    await site.sql('DELETE FROM memberships WHERE user_id = $1', [ada.id]);
    await expect(authenticate()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await site.sql('UPDATE users SET is_platform_admin = true WHERE id = $1', [ada.id]);
    expect(await viewerNow()).toMatchObject({
      organizationId: PLATFORM,
      role: 'NONE',
      userId: ada.id,
      session: { isPlatformAdmin: true },
    });
    // In an organization it acts as what it is there.
    await site.join(ada, north, 'STUDENT');
    visitor = site.browse();
    await visitor.signIn(ada.email, PASSWORD);
    expect(await viewerNow()).toMatchObject({ organizationId: north, role: 'STUDENT' });
  });

  it('is nobody without the cookie, and to a page of another origin', async () => {
    expect(await site.accounts.viewers.authenticate(new Headers())).toBeNull();
    expect(await authenticate({ origin: 'https://evil.example' })).toBeNull();
    expect(await authenticate({ origin: 'null' })).toBeNull();
    expect(await authenticate({ origin: site.url })).not.toBeNull();
  });

  it('is told to sign in again when the session has ended', async () => {
    const viewer = await viewerNow();
    await site.accounts.ownSessions.end(viewer, viewer.session?.id ?? '', null);
    await expect(authenticate()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringContaining('/login'),
    });
  });
});

describe('what outlives its request', () => {
  const isHeld = async (viewer: Viewer) => (await site.accounts.viewers.findHeld([viewer])).has(viewer);

  it('goes on while the session is alive and its user is what it was', async () => {
    const viewer = await viewerNow();
    expect(await isHeld(viewer)).toBe(true);
    await site.join(ada, north, 'EDUCATOR');
    expect(await isHeld(viewer)).toBe(false);
  });

  it.each([
    ['the session', 'UPDATE sessions SET ended_at = now() WHERE user_id = $1'],
    ['the user', 'UPDATE users SET deactivated_at = now() WHERE id = $1'],
    ['the membership', 'DELETE FROM memberships WHERE user_id = $1'],
  ])('ends with %s', async (_, sql) => {
    const viewer = await viewerNow();
    await site.sql(sql, [ada.id]);
    expect(await isHeld(viewer)).toBe(false);
  });

  it('is not for this to say when a token opened it', async () => {
    const { session: _session, ...token } = await viewerNow();
    expect(await isHeld(token)).toBe(false);
  });
});

describe('one’s own sessions', () => {
  it('are listed with the one that asks, and ended', async () => {
    const other = site.browse();
    await other.signIn(ada.email, PASSWORD);
    const viewer = await viewerNow();
    const [newer, current] = await site.accounts.ownSessions.list(viewer);
    expect([newer?.isCurrent, current?.isCurrent, current?.id]).toEqual([false, true, viewer.session?.id]);
    expect(await site.accounts.ownSessions.endOthers(viewer, current?.id ?? '', '192.0.2.8')).toBe(1);
    expect((await other.get('/account')).status).toBe(303);
    expect(site.acts.at(-1)).toMatchObject({
      action: 'session.ended',
      sessionId: newer?.id,
      userId: ada.id,
      address: '192.0.2.8',
    });
  });

  it('are not ended all but one that is somebody else’s', async () => {
    const eve = await site.addUser();
    await site.join(eve, north, 'STUDENT');
    const viewer = await viewerNow();
    visitor = site.browse();
    await visitor.signIn(eve.email, PASSWORD);
    const theirs = (await viewerNow()).session?.id ?? '';
    await expect(site.accounts.ownSessions.endOthers(viewer, theirs, null)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(site.accounts.ownSessions.end(viewer, theirs, null)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await site.accounts.ownSessions.list(viewer)).toHaveLength(1);
  });

  it('are nothing to a token, even to one of the same user', async () => {
    const { session, ...token } = await viewerNow();
    const { ownSessions } = site.accounts;
    for (const act of [
      () => ownSessions.list(token),
      () => ownSessions.memberships(token),
      () => ownSessions.end(token, session?.id ?? '', null),
      () => ownSessions.endOthers(token, session?.id ?? '', null),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
  });
});
