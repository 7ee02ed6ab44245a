import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findPasswordHash, setPassword } from '../../src/accounts/password.ts';
import {
  cleanUpSessions,
  createSessions,
  SESSION_ABSOLUTE_MS,
  SESSION_IDLE_MS,
  type Session,
  type Sessions,
} from '../../src/accounts/session.ts';
import type { User } from '../../src/accounts/statements.ts';
import { sha256 } from '../../src/lib/crypto.ts';
import { BROWSER, openPeople, type People } from './people.ts';

let people: People;
let sessions: Sessions;
let ada: User;
let north: string;

beforeAll(async () => {
  people = await openPeople();
  sessions = createSessions(people);
});
afterAll(() => people.close());
beforeEach(async () => {
  ada = await people.addUser();
  north = await people.addOrganization();
  await people.join(ada, north);
});

async function openFor(user: User, hasPassedSecondFactor = false) {
  const passwordHash = (await findPasswordHash(people.pool, user.id)) ?? '';
  const opened = await sessions.open({
    userId: user.id,
    passwordHash,
    hasPassedSecondFactor,
    browser: BROWSER,
  });
  if (opened === undefined) throw new Error('No session was opened.');
  return opened;
}

async function found(token: string): Promise<Session> {
  const session = await sessions.find(token);
  if (session === undefined) throw new Error('The session is not alive.');
  return session;
}

describe('a session', () => {
  it('is known by a token that is stored as its SHA-256 only', async () => {
    const { id, token } = await openFor(ada);
    expect(token).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(await found(token)).toMatchObject({ id, userId: ada.id, organizationId: north, role: 'ADMIN' });
    const [row] = await people.sql('SELECT * FROM sessions WHERE id = $1', [id]);
    expect(row?.['token_hash']).toEqual(sha256(token));
    expect(JSON.stringify(row)).not.toContain(token);
    expect(row).toMatchObject({ address: BROWSER.address, user_agent: BROWSER.userAgent });
    expect(await sessions.find(`${token}x`)).toBeUndefined();
    expect(await sessions.find('')).toBeUndefined();
  });

  it('ends when it is not used for 12 hours', async () => {
    const { token } = await openFor(ada);
    people.clock.advance(SESSION_IDLE_MS - 1);
    await found(token);
    people.clock.advance(SESSION_IDLE_MS - 60_000);
    await found(token);
    people.clock.advance(SESSION_IDLE_MS);
    expect(await sessions.find(token)).toBeUndefined();
  });

  it('ends after 14 days however much it is used', async () => {
    const { token } = await openFor(ada);
    for (let used = 0; used < SESSION_ABSOLUTE_MS - SESSION_IDLE_MS / 2; used += SESSION_IDLE_MS / 2) {
      await found(token);
      people.clock.advance(SESSION_IDLE_MS / 2);
    }
    await found(token);
    people.clock.advance(SESSION_IDLE_MS / 2);
    expect(await sessions.find(token)).toBeUndefined();
  });

  it('writes its use at most once a minute', async () => {
    const { id, token } = await openFor(ada);
    const writes = async () =>
      (await people.sql('SELECT xmin::text AS x FROM sessions WHERE id = $1', [id]))[0]?.['x'];
    const before = await writes();
    people.clock.advance(59_999);
    await found(token);
    expect(await writes()).toBe(before);
    people.clock.advance(1);
    await found(token);
    expect(await writes()).not.toBe(before);
  });

  it('has the role that its user has at the moment', async () => {
    const { token } = await openFor(ada);
    await people.join(ada, north, 'STUDENT');
    expect(await found(token)).toMatchObject({ role: 'STUDENT' });
  });

  it('acts for no organization when its user has left it', async () => {
    const { token } = await openFor(ada);
    await people.sql('DELETE FROM memberships WHERE user_id = $1', [ada.id]);
    expect(await found(token)).toMatchObject({ organizationId: null, role: null });
  });

  it('is dead while its user is deactivated', async () => {
    const { token } = await openFor(ada);
    await people.sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [ada.id]);
    expect(await sessions.find(token)).toBeUndefined();
  });

  it('ends when the password changes, and none is opened with the one before', async () => {
    const { token } = await openFor(ada);
    const passwordHash = (await findPasswordHash(people.pool, ada.id)) ?? '';
    await setPassword(people.pool, ada, 'another walk in the rain', people.clock.now());
    expect(await sessions.find(token)).toBeUndefined();
    const late = { userId: ada.id, passwordHash, hasPassedSecondFactor: false, browser: BROWSER };
    expect(await sessions.open(late)).toBeUndefined();
  });

  it('is not opened with the old password while a new one is being stored', async () => {
    const passwordHash = (await findPasswordHash(people.pool, ada.id)) ?? '';
    const changing = await people.pool.connect();
    await changing.query('BEGIN');
    await setPassword(changing, ada, 'another walk in the rain', people.clock.now());
    const session = { userId: ada.id, passwordHash, hasPassedSecondFactor: false, browser: BROWSER };
    const opening = sessions.open(session);
    await Promise.race([opening, isWaitingForALock()]);
    await changing.query('COMMIT');
    changing.release();
    expect(await opening).toBeUndefined();
    expect(await sessions.list(ada.id)).toEqual([]);
  });
});

/** Resolves once a statement in the database waits for another one's transaction. */
async function isWaitingForALock(): Promise<void> {
  const waiting = 'SELECT FROM pg_locks WHERE NOT granted AND database IS NULL AND locktype = $1';
  const isWaiting = async () => (await people.sql(waiting, ['transactionid'])).length > 0;
  for (let tries = 0; tries < 2_000 && !(await isWaiting()); tries++);
}

describe('a new token', () => {
  it('comes with a second factor, and the old one is dead', async () => {
    const { token } = await openFor(ada);
    const newer = await sessions.setSecondFactor(await found(token), true);
    expect(await sessions.find(token)).toBeUndefined();
    expect((await found(newer)).secondFactorAt).toEqual(people.clock.now());
  });

  it('comes with another organization, and the old one is dead', async () => {
    const south = await people.addOrganization('South');
    await people.join(ada, south, 'STUDENT');
    const { token } = await openFor(ada, true);
    const newer = await sessions.switchOrganization(await found(token), south);
    expect(await sessions.find(token)).toBeUndefined();
    expect(await found(newer)).toMatchObject({
      organizationId: south,
      role: 'STUDENT',
      secondFactorAt: people.clock.now(),
    });
    expect((await openFor(ada)).token).toBeDefined();
    expect((await found((await openFor(ada)).token)).organizationId).toBe(south);
  });

  it('does not come for an organization that the user is no member of', async () => {
    const other = await people.addOrganization('Other');
    const { token } = await openFor(ada);
    const session = await found(token);
    for (const id of [other, 'no id', '']) {
      await expect(sessions.switchOrganization(session, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect((await found(token)).organizationId).toBe(north);
  });

  it('does not revive a session that has ended', async () => {
    const { token } = await openFor(ada);
    const session = await found(token);
    await sessions.end(ada.id, session.id);
    await expect(sessions.setSecondFactor(session, true)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(sessions.switchOrganization(session, north)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('one’s sessions', () => {
  it('are listed, newest first, and ended one by one or all others at once', async () => {
    const [first, second, third] = [await openFor(ada), await openFor(ada), await openFor(ada)];
    const ids = async () => (await sessions.list(ada.id)).map(({ id }) => id);
    expect(await ids()).toEqual([third.id, second.id, first.id]);
    await sessions.end(ada.id, first.id);
    expect(await sessions.find(first.token)).toBeUndefined();
    expect(await sessions.endOthers(ada.id, third.id)).toBe(1);
    expect(await ids()).toEqual([third.id]);
  });

  it('are not ended by somebody else, nor twice', async () => {
    const { id, token } = await openFor(ada);
    const eve = await people.addUser();
    await expect(sessions.end(eve.id, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(sessions.end(ada.id, 'no id')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await sessions.endOthers(eve.id, id)).toBe(0);
    await found(token);
    await sessions.end(ada.id, id);
    await expect(sessions.end(ada.id, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are 50 at most: the oldest makes room', async () => {
    const first = await openFor(ada);
    for (let count = 0; count < 50; count++) await openFor(ada);
    expect(await sessions.find(first.token)).toBeUndefined();
    expect(await sessions.list(ada.id)).toHaveLength(50);
  });

  it('are deleted once they have expired', async () => {
    const { id } = await openFor(ada);
    people.clock.advance(SESSION_ABSOLUTE_MS + 1);
    expect(await cleanUpSessions(people)).toBeGreaterThan(0);
    expect(await people.sql('SELECT FROM sessions WHERE id = $1', [id])).toEqual([]);
  });
});
