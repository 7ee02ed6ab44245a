/** Members: their roles, and who is one no longer. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countMembers, listMembers, type MemberFilter } from '../../src/accounts/directory.ts';
import { inviteMember } from '../../src/accounts/invitation.ts';
import { findInvitation, invitationStatus } from '../../src/accounts/invitation-list.ts';
import { changeMemberRole, removeMember } from '../../src/accounts/member.ts';
import { findPasswordHash } from '../../src/accounts/password.ts';
import { createSessions } from '../../src/accounts/session.ts';
import type { MemberRole } from '../../src/accounts/statements.ts';
import { ORIGIN, openPeopleWorld, type PeopleWorld } from './people-world.ts';

let world: PeopleWorld;
let ours: string;
let lin: string;
let mia: string;
let ada: string;
let count = 0;

beforeAll(async () => {
  world = await openPeopleWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  count += 1;
  ours = await world.createOrganization();
  const create = (name: string) => world.createUser(`${name}-${count}@north.example`, null);
  [lin, mia, ada] = [await create('lin'), await create('mia'), await create('ada')];
  await world.addMember(ours, lin, 'ADMIN');
  await world.addMember(ours, mia, 'ADMIN');
  await world.addMember(ours, ada, 'STUDENT');
});

const as = (userId: string, role: MemberRole = 'ADMIN') => world.context(ours, role, userId);

async function roles(): Promise<Record<string, unknown>> {
  const rows = await world.sql('SELECT user_id, role FROM memberships WHERE organization_id = $1', [ours]);
  return Object.fromEntries(rows.map((row) => [String(row['user_id']), row['role']]));
}

describe('another role', () => {
  it('is given by an admin, and counts as a version', async () => {
    expect(await changeMemberRole(as(lin), { userId: ada, role: 'EDUCATOR' })).toMatchObject({
      userId: ada,
      role: 'EDUCATOR',
      version: 2,
    });
    expect(await changeMemberRole(as(lin), { userId: ada, role: 'EDUCATOR' })).toMatchObject({ version: 2 });
    expect(await roles()).toEqual({ [lin]: 'ADMIN', [mia]: 'ADMIN', [ada]: 'EDUCATOR' });
  });

  it('is refused for a version that is not the present one, which is told', async () => {
    const change = changeMemberRole(as(lin), { userId: ada, role: 'EDUCATOR', expectedVersion: 7 });
    await expect(change).rejects.toMatchObject({ code: 'CONFLICT', currentVersion: 1 });
    const right = { userId: ada, role: 'EDUCATOR', expectedVersion: 1 } as const;
    expect(await changeMemberRole(as(lin), right)).toMatchObject({ version: 2 });
  });

  it('counts at once in a session that is open', async () => {
    const sessions = createSessions({ pool: world.authPool, clock: world.clock });
    const userId = await world.createUser(`ed-${count}@north.example`);
    await world.addMember(ours, userId, 'EDUCATOR');
    const passwordHash = (await findPasswordHash(world.authPool, userId)) ?? '';
    const browser = { address: null, userAgent: null };
    const opened = await sessions.open({ userId, passwordHash, hasPassedSecondFactor: false, browser });
    const session = () => sessions.find(opened?.token ?? '');
    expect(await session()).toMatchObject({ organizationId: ours, role: 'EDUCATOR' });
    await changeMemberRole(as(lin), { userId, role: 'STUDENT' });
    expect(await session()).toMatchObject({ organizationId: ours, role: 'STUDENT' });
    await removeMember(as(lin), userId);
    expect(await session()).toMatchObject({ organizationId: null, role: null });
  });
});

describe('the audit log', () => {
  it('tells who changed and removed whom, and what was withdrawn with it', async () => {
    const email = `eve-${count}@school.example`;
    const invitation = await inviteMember(as(mia), { email, name: 'Eve', role: 'STUDENT' });
    await changeMemberRole(as(lin), { userId: ada, role: 'EDUCATOR' });
    await changeMemberRole(as(lin), { userId: ada, role: 'EDUCATOR' });
    await removeMember(as(lin), mia);
    const by = (id: string, name: string) => ({
      actor_kind: 'USER',
      actor_id: id,
      actor_label: `${name}-${count}@north.example`,
      address: ORIGIN.address,
    });
    const user = (id: string, name: string) => ({
      target_type: 'User',
      target_id: id,
      target_label: `${name}-${count}@north.example`,
    });
    const invited = { target_type: 'Invitation', target_id: invitation.id, target_label: email };
    expect(await world.auditLog(ours)).toEqual([
      {
        action: 'member.invited',
        ...by(mia, 'mia'),
        ...invited,
        changes: { email: { from: null, to: email }, role: { from: null, to: 'STUDENT' } },
      },
      {
        action: 'member.role_changed',
        ...by(lin, 'lin'),
        ...user(ada, 'ada'),
        changes: { role: { from: 'STUDENT', to: 'EDUCATOR' } },
      },
      { action: 'member.invitation_withdrawn', ...by(lin, 'lin'), ...invited, changes: {} },
      {
        action: 'member.removed',
        ...by(lin, 'lin'),
        ...user(mia, 'mia'),
        changes: { role: { from: 'ADMIN', to: null } },
      },
    ]);
  });

  it('tells nothing of what was refused', async () => {
    await expect(removeMember(as(ada, 'STUDENT'), mia)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(removeMember(as(ada, 'ADMIN'), mia)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await world.auditLog(ours)).toEqual([]);
  });
});

describe('the last admin', () => {
  beforeEach(() => removeMember(as(lin), mia));

  it('can neither be demoted nor removed, not by itself either', async () => {
    for (const role of ['EDUCATOR', 'STUDENT'] as const) {
      const demotion = changeMemberRole(as(lin), { userId: lin, role });
      await expect(demotion).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    await expect(removeMember(as(lin), lin)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await roles()).toEqual({ [lin]: 'ADMIN', [ada]: 'STUDENT' });
  });

  it('is the last one though others are deactivated', async () => {
    await changeMemberRole(as(lin), { userId: ada, role: 'ADMIN' });
    await world.sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [ada]);
    await expect(removeMember(as(lin), lin)).rejects.toMatchObject({ code: 'CONFLICT' });
    // The other one can be cleared away.
    await removeMember(as(lin), ada);
    expect(await roles()).toEqual({ [lin]: 'ADMIN' });
  });

  it('may leave once there is another', async () => {
    await changeMemberRole(as(lin), { userId: ada, role: 'ADMIN' });
    await removeMember(as(lin), lin);
    expect(await roles()).toEqual({ [ada]: 'ADMIN' });
  });
});

describe('at once', () => {
  it.each([
    ['remove each other', (by: string, other: string) => removeMember(as(by), other)],
    ['leave', (by: string) => removeMember(as(by), by)],
    [
      'demote each other',
      (by: string, other: string) => changeMemberRole(as(by), { userId: other, role: 'STUDENT' }),
    ],
    ['step down', (by: string) => changeMemberRole(as(by), { userId: by, role: 'STUDENT' })],
  ])('two admins who %s leave one admin', async (_, act) => {
    for (let round = 0; round < 5; round += 1) {
      const results = await Promise.allSettled([act(lin, mia), act(mia, lin)]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const admins = Object.values(await roles()).filter((role) => role === 'ADMIN');
      expect(admins).toHaveLength(1);
      await world.sql('DELETE FROM memberships WHERE organization_id = $1', [ours]);
      await world.addMember(ours, lin, 'ADMIN');
      await world.addMember(ours, mia, 'ADMIN');
    }
  });
});

describe('who leaves or is demoted', () => {
  const inviteAs = (userId: string, role: MemberRole, invited: string) =>
    inviteMember(as(userId, role), {
      email: `${invited}-${count}@school.example`,
      name: 'Eve',
      role: 'STUDENT',
    });

  it('leaves no open invitation behind; those of others stay', async () => {
    const [first, second] = [await inviteAs(mia, 'ADMIN', 'eve'), await inviteAs(lin, 'ADMIN', 'bob')];
    await removeMember(as(lin), mia);
    const status = async (id: string) => {
      const invitation = await findInvitation(as(lin), id);
      return invitation === null ? null : invitationStatus(invitation, world.clock.now());
    };
    expect(await status(first.id)).toBe('REVOKED');
    expect(await status(second.id)).toBe('PENDING');
    await changeMemberRole(as(lin), { userId: ada, role: 'ADMIN' });
    await changeMemberRole(as(ada), { userId: lin, role: 'EDUCATOR' });
    const seen = await findInvitation(as(ada), second.id);
    expect(seen?.revokedAt).toEqual(world.clock.now());
  });
});

describe('who may (Who may)', () => {
  it.each([
    ['an educator', () => as(ada, 'EDUCATOR')],
    ['a student', () => as(ada, 'STUDENT')],
    [
      'an admin’s token, whatever its scopes',
      () => world.context(ours, 'ADMIN', lin, { scopes: ['read', 'write'], clientId: 'lms' }),
    ],
    ['a client', () => world.context(ours, 'CLIENT', null, { scopes: ['read', 'write'], clientId: 'lms' })],
    ['somebody who was an admin when the request began', () => as(ada, 'ADMIN')],
  ])('is not %s', async (_, context) => {
    const change = changeMemberRole(context(), { userId: mia, role: 'STUDENT' });
    await expect(change).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(removeMember(context(), mia)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await roles()).toEqual({ [lin]: 'ADMIN', [mia]: 'ADMIN', [ada]: 'STUDENT' });
  });

  it('is not an admin of another organization: to them these members do not exist', async () => {
    const theirs = await world.createOrganization('South');
    const sue = await world.createUser(`sue-${count}@south.example`, null);
    await world.addMember(theirs, sue, 'ADMIN');
    const stranger = world.context(theirs, 'ADMIN', sue);
    for (const userId of [ada, 'no id']) {
      const change = changeMemberRole(stranger, { userId, role: 'ADMIN' });
      await expect(change).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(removeMember(stranger, userId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await roles()).toEqual({ [lin]: 'ADMIN', [mia]: 'ADMIN', [ada]: 'STUDENT' });
  });

  it('removes nobody from where else they are', async () => {
    const theirs = await world.createOrganization('South');
    await world.addMember(theirs, ada, 'EDUCATOR');
    await removeMember(as(lin), ada);
    const rows = await world.sql('SELECT role FROM memberships WHERE user_id = $1', [ada]);
    expect(rows).toEqual([{ role: 'EDUCATOR' }]);
  });
});

describe('the list', () => {
  const idsOf = async (filter: MemberFilter) => {
    const { items } = await listMembers(as(lin), filter, { limit: 10 });
    expect(await countMembers(as(lin), filter)).toEqual({ value: items.length, isExact: true });
    return items.map(({ userId }) => userId);
  };

  it('finds by role, and by a part of name or address, whatever the case', async () => {
    expect(await idsOf({})).toEqual([ada, mia, lin]);
    expect(await idsOf({ roles: ['ADMIN'] })).toEqual([mia, lin]);
    expect(await idsOf({ roles: [] })).toEqual([]);
    expect(await idsOf({ search: ` MIA-${count}@NORTH ` })).toEqual([mia]);
    expect(await idsOf({ search: `name of ada-${count}`, roles: ['STUDENT'] })).toEqual([ada]);
    expect(await idsOf({ search: '' })).toHaveLength(3);
  });

  it('takes % and _ as what they are', async () => {
    await world.sql(`UPDATE users SET name = '100%_sure\\' WHERE id = $1`, [ada]);
    expect(await idsOf({ search: '100%_sure\\' })).toEqual([ada]);
    expect(await idsOf({ search: '%' })).toEqual([ada]);
    expect(await idsOf({ search: 'l_n-' })).toEqual([]);
  });

  it('looks for no more than a line', async () => {
    await expect(listMembers(as(lin), { search: 'x'.repeat(101) }, { limit: 1 })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: ['filter', 'search'] }],
    });
  });
});
