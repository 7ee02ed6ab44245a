/** Password reset by mail: from the address on a page to another password. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findPasswordHash } from '../../src/accounts/password.ts';
import { findPasswordReset, requestPasswordReset, resetPassword } from '../../src/accounts/password-reset.ts';
import { createSessions } from '../../src/accounts/session.ts';
import { verifyPassword } from '../../src/lib/crypto.ts';
import { MINUTE, ORIGIN, openPeopleWorld, PASSWORD, type PeopleWorld, PUBLIC_URL } from './people-world.ts';

const NEW_PASSWORD = 'another password of mine';

let world: PeopleWorld;
let count = 0;
let email: string;
let userId: string;

beforeAll(async () => {
  world = await openPeopleWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  count += 1;
  email = `ada-${count}@school.example`;
  userId = await world.createUser(email);
});

const ask = (address = email) => requestPasswordReset(world.deps, { email: address, origin: ORIGIN });

/** Asks, and answers the token in the mail. */
async function askForToken(): Promise<string> {
  await ask();
  await world.sendMails();
  return world.tokenFor(email);
}

const mailsTo = (address: string) => world.mails.mails.filter(({ to }) => to.includes(address));

async function passwordIs(password: string): Promise<boolean> {
  const hash = await findPasswordHash(world.authPool, userId);
  return hash !== null && verifyPassword(hash, password);
}

describe('asking for a new password', () => {
  it('mails a link to the account’s address, however it was typed', async () => {
    await ask(` ${email.toUpperCase()} `);
    await world.sendMails();
    const [mail] = mailsTo(email);
    expect(mail?.text).toContain(`${PUBLIC_URL}/reset?token=`);
    expect(mail?.html).toContain(`href="${PUBLIC_URL}/reset?token=`);
    expect(mail?.headers.get('subject')).toBe('Choose a new password for Optio Connect');
  });

  it('does the same for an address without an account: a row, and no mail', async () => {
    const rowsFor = async (address: string) => {
      await ask(address);
      return world.sql('SELECT template, attempt_count FROM outgoing_mails');
    };
    const known = await rowsFor(email);
    await world.sendMails();
    const unknown = await rowsFor('nobody@elsewhere.example');
    expect(unknown).toEqual(known);
    await world.sendMails();
    expect(mailsTo('nobody@elsewhere.example')).toEqual([]);
    expect(await world.sql('SELECT FROM outgoing_mails')).toEqual([]);
  });

  it('mails nothing to a deactivated account', async () => {
    await world.sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [userId]);
    await ask();
    await world.sendMails();
    expect(mailsTo(email)).toEqual([]);
  });

  it('again and again mails once in five minutes, and leaves the link good', async () => {
    const token = await askForToken();
    for (let tries = 0; tries < 3; tries += 1) await ask().then(world.sendMails);
    expect(mailsTo(email)).toHaveLength(1);
    expect(await findPasswordReset(world.deps, token)).toMatchObject({ email });
    world.clock.advance(5 * MINUTE + 1);
    expect(await askForToken()).not.toBe(token);
    expect(mailsTo(email)).toHaveLength(2);
    expect(await findPasswordReset(world.deps, token)).toBeNull();
  });

  it('while the mail server is down, mails a link later, which is good for an hour from then', async () => {
    world.mails.refuse = { at: 'content', code: 451, text: 'later' };
    await ask();
    await world.sendMails();
    world.mails.refuse = undefined;
    world.clock.advance(MINUTE);
    await world.sendMails();
    const token = world.tokenFor(email);
    world.clock.advance(60 * MINUTE - 1);
    expect(await findPasswordReset(world.deps, token)).toMatchObject({ email });
  });

  it.each(['', 'ada', 'a@b.example, c@d.example', 'ada@school.example\r\nBcc: eve@evil.example'])(
    'refuses what is no address: %j',
    async (address) => {
      await expect(ask(address)).rejects.toMatchObject({
        code: 'VALIDATION',
        faults: [{ path: ['email'], message: expect.any(String) }],
      });
    },
  );

  it('says plainly that mail is not configured', async () => {
    const deps = { ...world.deps, mail: { canSend: false, hurry: () => undefined } };
    await expect(requestPasswordReset(deps, { email, origin: ORIGIN })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('SMTP_URL'),
    });
  });
});

describe('the link', () => {
  it('gives another password once, in place of the old one', async () => {
    const token = await askForToken();
    await resetPassword(world.deps, { token, password: NEW_PASSWORD, origin: ORIGIN });
    expect(await passwordIs(NEW_PASSWORD)).toBe(true);
    expect(await passwordIs(PASSWORD)).toBe(false);
    const again = resetPassword(world.deps, { token, password: 'a third password', origin: ORIGIN });
    await expect(again).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await passwordIs(NEW_PASSWORD)).toBe(true);
  });

  it('leaves both acts in the audit log of the user’s organizations, and neither link nor password', async () => {
    const organizationId = await world.createOrganization();
    await world.addMember(organizationId, userId, 'EDUCATOR');
    const token = await askForToken();
    await ask();
    await world.sendMails();
    await resetPassword(world.deps, { token, password: NEW_PASSWORD, origin: ORIGIN });
    const log = await world.auditLog(organizationId);
    const target = { target_type: 'User', target_id: userId, target_label: email, address: ORIGIN.address };
    expect(log).toMatchObject([
      { action: 'password.reset_requested', actor_kind: 'ANONYMOUS', ...target },
      { action: 'password.reset', actor_kind: 'USER', actor_id: userId, ...target },
    ]);
    expect(log).toHaveLength(2);
    expect(JSON.stringify(log)).not.toMatch(new RegExp(`${token}|${NEW_PASSWORD}`));
  });

  it('ends all sessions of the user (OAuth, rule 47), and of nobody else', async () => {
    const sessions = createSessions({ pool: world.authPool, clock: world.clock });
    const open = async (id: string) => {
      const passwordHash = (await findPasswordHash(world.authPool, id)) ?? '';
      const browser = { address: null, userAgent: null };
      const session = await sessions.open({
        userId: id,
        passwordHash,
        hasPassedSecondFactor: false,
        browser,
      });
      return session?.token ?? '';
    };
    const other = await open(await world.createUser(`eve-${count}@school.example`));
    const own = [await open(userId), await open(userId)];
    await resetPassword(world.deps, { token: await askForToken(), password: NEW_PASSWORD, origin: ORIGIN });
    for (const token of own) expect(await sessions.find(token)).toBeUndefined();
    expect(await sessions.find(other)).toBeDefined();
  });

  it('is good for one of several who use it at once', async () => {
    const token = await askForToken();
    const passwords = ['password number one', 'password number two', 'password number three'];
    const results = await Promise.allSettled(
      passwords.map((password) => resetPassword(world.deps, { token, password, origin: ORIGIN })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('stays good after a password that does not fit', async () => {
    const token = await askForToken();
    for (const password of ['short', email, 'x'.repeat(1_025)]) {
      await expect(resetPassword(world.deps, { token, password, origin: ORIGIN })).rejects.toMatchObject({
        code: 'VALIDATION',
        faults: [{ path: ['password'] }],
      });
    }
    await resetPassword(world.deps, { token, password: NEW_PASSWORD, origin: ORIGIN });
    expect(await passwordIs(NEW_PASSWORD)).toBe(true);
  });

  it('ends after an hour', async () => {
    const token = await askForToken();
    world.clock.advance(60 * MINUTE);
    expect(await findPasswordReset(world.deps, token)).toBeNull();
    const late = resetPassword(world.deps, { token, password: NEW_PASSWORD, origin: ORIGIN });
    await expect(late).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await passwordIs(PASSWORD)).toBe(true);
  });

  it('is good for nothing once the account is deactivated', async () => {
    const token = await askForToken();
    await world.sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [userId]);
    expect(await findPasswordReset(world.deps, token)).toBeNull();
    const reset = resetPassword(world.deps, { token, password: NEW_PASSWORD, origin: ORIGIN });
    await expect(reset).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('changes nothing when what belongs to it fails, and stays good', async () => {
    const token = await askForToken();
    await world.sql('REVOKE INSERT ON audit_entries FROM optio_auth');
    const reset = resetPassword(world.deps, { token, password: NEW_PASSWORD, origin: ORIGIN });
    await expect(reset).rejects.toThrow('permission denied');
    await world.sql('GRANT INSERT ON audit_entries TO optio_auth');
    expect(await passwordIs(PASSWORD)).toBe(true);
    expect(await findPasswordReset(world.deps, token)).toMatchObject({ email });
  });
});
