/** Invitations that were made: listed, sent again, revoked. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inviteMember, resendInvitation, revokeInvitation } from '../../src/accounts/invitation.ts';
import { findInvitationByToken } from '../../src/accounts/invitation-acceptance.ts';
import {
  countInvitations,
  findInvitation,
  invitationStatus,
  listInvitations,
} from '../../src/accounts/invitation-list.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { query } from '../support/database.ts';
import { DAY, MINUTE, openPeopleWorld, type PeopleWorld } from './people-world.ts';

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

describe('sending again', () => {
  it('mails a new link, which replaces the one before, and gives it seven days anew', async () => {
    const { id } = await inviteMember(admin(), ada());
    await world.sendMails();
    const before = world.tokenFor(email);
    world.clock.advance(6 * DAY);
    const again = await resendInvitation(admin(), id);
    expect(again).toMatchObject({
      id,
      mailSentAt: null,
      expiresAt: new Date(world.clock.now().getTime() + 7 * DAY),
    });
    await world.sendMails();
    expect(await findInvitationByToken(world.deps, before)).toBeNull();
    expect(await findInvitationByToken(world.deps, world.tokenFor(email))).toMatchObject({ email });
  });

  it('revives an invitation that has expired', async () => {
    const { id } = await inviteMember(admin(), ada());
    world.clock.advance(30 * DAY);
    const again = await resendInvitation(admin(), id);
    expect(invitationStatus(again, world.clock.now())).toBe('PENDING');
  });

  it('waits five minutes, so that nobody’s mailbox is filled', async () => {
    const { id } = await inviteMember(admin(), ada());
    world.clock.advance(5 * MINUTE - 1);
    await expect(resendInvitation(admin(), id)).rejects.toMatchObject({ code: 'CONFLICT' });
    world.clock.advance(1);
    const results = await Promise.allSettled([1, 2, 3].map(() => resendInvitation(admin(), id)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('while a mail waits for a mail server that is down, tries that one at once', async () => {
    world.mails.refuse = { at: 'content', code: 451, text: 'later' };
    const { id } = await inviteMember(admin(), ada());
    for (const minutes of [0, 1, 2, 5]) {
      world.clock.advance(minutes * MINUTE);
      await world.sendMails();
    }
    world.mails.refuse = undefined;
    await resendInvitation(admin(), id);
    await world.sendMails();
    expect(mailsTo(email)).toHaveLength(1);
    expect(await world.sql('SELECT FROM outgoing_mails')).toEqual([]);
  });
});

describe('revoking', () => {
  it('makes the link good for nothing, and keeps a mail from leaving that still waits', async () => {
    const { id } = await inviteMember(admin(), ada());
    await world.sendMails();
    const token = world.tokenFor(email);
    world.clock.advance(5 * MINUTE);
    await resendInvitation(admin(), id);
    const revoked = await revokeInvitation(admin(), id);
    expect(invitationStatus(revoked, world.clock.now())).toBe('REVOKED');
    await world.sendMails();
    expect(mailsTo(email)).toHaveLength(1);
    expect(await findInvitationByToken(world.deps, token)).toBeNull();
  });

  it('is once: neither revoked nor sent again afterwards', async () => {
    const { id } = await inviteMember(admin(), ada());
    await revokeInvitation(admin(), id);
    await expect(revokeInvitation(admin(), id)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(resendInvitation(admin(), id)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('the list', () => {
  it('has the newest first, by status', async () => {
    const made: string[] = [];
    for (const number of [1, 2, 3, 4]) {
      const { id } = await inviteMember(admin(), { ...ada(), email: `${number}-${email}` });
      made.push(id);
    }
    const [expired = '', acceptedId = '', revokedId = '', pending = ''] = made;
    await world.sql('UPDATE invitations SET expires_at = $2 WHERE id = $1', [expired, world.clock.now()]);
    await world.sql('UPDATE invitations SET accepted_at = now() WHERE id = $1', [acceptedId]);
    await revokeInvitation(admin(), revokedId);
    const idsOf = async (status: Parameters<typeof listInvitations>[1]) => {
      const { items } = await listInvitations(admin(), status, { limit: 10 });
      expect(await countInvitations(admin(), status)).toEqual({ value: items.length, isExact: true });
      return items.map(({ id }) => id);
    };
    expect(await idsOf(undefined)).toEqual(made.toReversed());
    expect(await idsOf('EXPIRED')).toEqual([expired]);
    expect(await idsOf('ACCEPTED')).toEqual([acceptedId]);
    expect(await idsOf('REVOKED')).toEqual([revokedId]);
    expect(await idsOf('PENDING')).toEqual([pending]);
    const first = await listInvitations(admin(), undefined, { limit: 2 });
    expect(first).toMatchObject({ items: [{ id: pending }, { id: revokedId }], hasMore: true });
    const rest = await listInvitations(admin(), undefined, { limit: 2, after: revokedId });
    expect(rest).toMatchObject({ items: [{ id: acceptedId }, { id: expired }], hasMore: false });
  });

  it('shows an educator the own ones alone, to see and to change', async () => {
    const own = await inviteMember(educator(), ada());
    const other = await inviteMember(admin(), { ...ada(), email: `b-${email}` });
    expect((await listInvitations(educator(), undefined, { limit: 10 })).items).toMatchObject([
      { id: own.id },
    ]);
    expect(await findInvitation(educator(), other.id)).toBeNull();
    world.clock.advance(5 * MINUTE);
    for (const act of [revokeInvitation, resendInvitation]) {
      await expect(act(educator(), other.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await revokeInvitation(educator(), own.id)).toMatchObject({ id: own.id });
  });

  it('needs read:users of a token', async () => {
    await expect(listInvitations(machine(['write:quests']), undefined, { limit: 1 })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      requiredScope: 'read:users',
    });
    expect(await listInvitations(machine(['read:users']), undefined, { limit: 1 })).toMatchObject({
      items: [],
    });
  });
});

describe('another organization', () => {
  it('sees, sends and revokes none of ours', async () => {
    const { id } = await inviteMember(admin(), ada());
    const stranger = world.context(theirs, 'ADMIN', await world.createUser(`sue-${count}@south.example`));
    world.clock.advance(5 * MINUTE);
    expect(await findInvitation(stranger, id)).toBeNull();
    expect((await listInvitations(stranger, undefined, { limit: 10 })).items).toEqual([]);
    for (const act of [revokeInvitation, resendInvitation]) {
      for (const wrong of [id, 'no id']) {
        await expect(act(stranger, wrong)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
    }
  });

  it('cannot have one of ours mailed by the database either', async () => {
    const { id } = await inviteMember(admin(), ada());
    const url = new URL(world.database.urls.tenantUrl);
    url.searchParams.set('options', `-c app.organization_id=${theirs} -c app.role=ADMIN`);
    const mail = query(url.href, 'SELECT optio.queue_invitation_mail($1, now())', [id]);
    await expect(mail).rejects.toMatchObject({ code: '42501' });
  });
});
