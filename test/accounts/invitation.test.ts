/** Invitations, from the side of the organization. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inviteMember, revokeInvitation } from '../../src/accounts/invitation.ts';
import { findInvitation } from '../../src/accounts/invitation-list.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { query } from '../support/database.ts';
import { DAY, openPeopleWorld, type PeopleWorld, PUBLIC_URL } from './people-world.ts';

let world: PeopleWorld;
let ours: string;
let theirs: string;
let adminId: string;
let educatorId: string;
let email: string;
let count = 0;

beforeAll(async () => {
  world = await openPeopleWorld();
  adminId = await world.createUser('lin@north.example');
  educatorId = await world.createUser('ed@north.example');
});
afterAll(() => world.close());
beforeEach(async () => {
  count += 1;
  await world.sql('DELETE FROM outgoing_mails');
  email = `ada-${count}@school.example`;
  ours = await world.createOrganization('North School');
  theirs = await world.createOrganization('South School');
  await world.addMember(ours, adminId, 'ADMIN');
  await world.addMember(ours, educatorId, 'EDUCATOR');
});

const admin = (change?: Partial<Viewer>) => world.context(ours, 'ADMIN', adminId, change);
const educator = () => world.context(ours, 'EDUCATOR', educatorId);
const machine = (scopes: readonly string[]) =>
  world.context(ours, 'CLIENT', null, { clientId: 'lms', scopes });
const ada = (role: 'ADMIN' | 'EDUCATOR' | 'STUDENT' = 'STUDENT') => ({ email, name: 'Ada', role });
const mailsTo = (address: string) => world.mails.mails.filter(({ to }) => to.includes(address));

describe('an invitation', () => {
  it('is stored, mailed, and told to have been mailed', async () => {
    const invitation = await inviteMember(admin(), { ...ada('EDUCATOR'), email: ` ${email.toUpperCase()} ` });
    expect(invitation).toMatchObject({
      organizationId: ours,
      email,
      name: 'Ada',
      role: 'EDUCATOR',
      invitedById: adminId,
      mailSentAt: null,
      expiresAt: new Date(world.clock.now().getTime() + 7 * DAY),
    });
    await world.sendMails();
    const [mail] = mailsTo(email);
    expect(mail?.headers.get('subject')).toBe('North School invites you to Optio Connect');
    expect(mail?.text).toContain('North School invites you to Optio Connect as an educator.');
    expect(mail?.text).toContain(`${PUBLIC_URL}/invitation?token=`);
    const sent = await findInvitation(admin(), invitation.id);
    expect(sent).toMatchObject({ mailSentAt: world.clock.now(), mailError: null });
  });

  it('says nothing in its mail that the inviting person wrote beside the role', async () => {
    await inviteMember(admin(), { ...ada(), name: 'You won! https://evil.example' });
    await world.sendMails();
    expect(mailsTo(email)[0]?.raw).not.toMatch(/evil|You won/);
  });

  it('keeps a name of the organization on one line of its mail', async () => {
    await world.sql('UPDATE organizations SET name = $2 WHERE id = $1', [
      ours,
      'North\r\nBcc: eve@evil.example',
    ]);
    await inviteMember(admin(), ada());
    await world.sendMails();
    expect(mailsTo(email)[0]?.headers.get('subject')).toContain('North Bcc: eve@evil.example invites you');
    expect(mailsTo(email)[0]?.headers.has('bcc')).toBe(false);
    expect(mailsTo(email)[0]?.to).toEqual([email]);
  });

  it('tells why its mail could not be sent', async () => {
    world.mails.refuse = { at: 'recipient', code: 550, text: 'no such mailbox' };
    const { id } = await inviteMember(admin(), ada());
    await world.sendMails();
    world.mails.refuse = undefined;
    expect(await findInvitation(admin(), id)).toMatchObject({
      mailSentAt: null,
      mailError: expect.stringContaining('no such mailbox'),
    });
  });

  it('stands in the outbox without its link', async () => {
    await inviteMember(admin(), ada());
    const rows = await world.sql('SELECT m::text AS row FROM outgoing_mails m');
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toMatch(/token|ada-/);
    await world.sendMails();
  });

  it.each([
    ['email', { email: 'ada' }],
    ['email', { email: 'ada@school.example, eve@evil.example' }],
    ['email', { email: 'ada@school.example\r\nBcc: eve@evil.example' }],
    ['name', { name: '  ' }],
    ['name', { name: 'x'.repeat(201) }],
    ['name', { name: 'Ada\r\nBcc: eve@evil.example' }],
    ['name', { name: 'Ada\u202e' }],
  ])('is refused for a bad %s: %j', async (path, change) => {
    await expect(inviteMember(admin(), { ...ada(), ...change })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: [path], message: expect.any(String) }],
    });
    expect(await world.sql('SELECT FROM outgoing_mails')).toEqual([]);
  });

  it('is refused plainly where mail is not configured', async () => {
    const context = { ...admin(), mail: { canSend: false, hurry: () => undefined } };
    await expect(inviteMember(context, ada())).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('SMTP_URL'),
    });
  });
});

describe('whoever is asked', () => {
  it('is invited once: a member is not, and neither is who has an open invitation', async () => {
    await expect(inviteMember(admin(), { ...ada(), email: 'ed@north.example' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('is a member'),
    });
    await inviteMember(admin(), ada());
    for (const context of [admin(), educator()]) {
      await expect(inviteMember(context, ada())).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('is invited already'),
      });
    }
  });

  it('is invited once, by however many at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => inviteMember(admin(), ada())));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await world.sendMails();
    expect(mailsTo(email)).toHaveLength(1);
  });

  it('can be invited anew after an invitation that was revoked or has expired', async () => {
    const first = await inviteMember(admin(), ada());
    await revokeInvitation(admin(), first.id);
    const second = await inviteMember(admin(), ada());
    world.clock.advance(7 * DAY);
    expect((await inviteMember(admin(), ada('EDUCATOR'))).id).not.toBe(second.id);
  });

  it('has the same answer whether there is an account elsewhere, a member of another organization or none', async () => {
    const stranger = await world.createUser(`known-${count}@south.example`);
    await world.addMember(theirs, stranger, 'ADMIN');
    const shapeOf = async (address: string) => {
      const { id: _id, email: _email, ...rest } = await inviteMember(admin(), { ...ada(), email: address });
      return rest;
    };
    expect(await shapeOf(`known-${count}@south.example`)).toEqual(await shapeOf(email));
    const other = world.context(theirs, 'ADMIN', stranger);
    expect(await inviteMember(other, ada())).toMatchObject({ organizationId: theirs });
  });
});

describe('who may invite (Who may)', () => {
  it.each([
    ['an admin', () => admin(), ['ADMIN', 'EDUCATOR', 'STUDENT']],
    ['an educator', () => educator(), ['EDUCATOR', 'STUDENT']],
    [
      'an admin’s token with write:users',
      () => admin({ scopes: ['write:users'], clientId: 'lms' }),
      ['EDUCATOR', 'STUDENT'],
    ],
    ['a client with write:users', () => machine(['write:users']), ['EDUCATOR', 'STUDENT']],
    ['a client with write', () => machine(['write']), ['EDUCATOR', 'STUDENT']],
    ['a client without', () => machine(['read', 'write:quests']), []],
    ['a student', () => world.context(ours, 'STUDENT', educatorId), []],
  ] as const)('%s: nobody above oneself', async (_, context, allowed) => {
    const outcomes: string[] = [];
    for (const role of ['ADMIN', 'EDUCATOR', 'STUDENT'] as const) {
      const person = { ...ada(role), email: `${role.toLowerCase()}-${email}` };
      const invited = inviteMember(context(), person);
      outcomes.push(
        await invited.then(
          (invitation) => invitation.role,
          (error: { code: string }) => error.code,
        ),
      );
    }
    const expected = ['ADMIN', 'EDUCATOR', 'STUDENT'].map((role) =>
      allowed.some((one) => one === role) ? role : 'FORBIDDEN',
    );
    expect(outcomes).toEqual(expected);
  });

  it('stands in the database, too: an educator’s connection cannot invite an admin, nor in another’s name', async () => {
    const invite = (role: string, invitedBy: string) => {
      const url = new URL(world.database.urls.tenantUrl);
      const settings = [`app.organization_id=${ours}`, 'app.role=EDUCATOR', `app.user_id=${educatorId}`];
      url.searchParams.set('options', settings.map((setting) => `-c ${setting}`).join(' '));
      return query(
        url.href,
        `INSERT INTO invitations (organization_id, id, email, name, role, invited_by_id, expires_at)
         VALUES ($1, gen_random_uuid(), $2, 'Ada', $3::"Role", $4, now())`,
        [ours, email, role, invitedBy],
      );
    };
    await expect(invite('ADMIN', educatorId)).rejects.toMatchObject({ code: '42501' });
    await expect(invite('STUDENT', adminId)).rejects.toMatchObject({ code: '42501' });
    expect(await invite('STUDENT', educatorId)).toEqual([]);
  });
});
