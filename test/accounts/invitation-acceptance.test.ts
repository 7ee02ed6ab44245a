/** Invitations, from the side of who is invited: what the link in the mail leads to. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inviteMember, revokeInvitation } from '../../src/accounts/invitation.ts';
import { acceptInvitation, findInvitationByToken } from '../../src/accounts/invitation-acceptance.ts';
import { findInvitation } from '../../src/accounts/invitation-list.ts';
import { findPasswordHash } from '../../src/accounts/password.ts';
import type { MemberRole } from '../../src/accounts/statements.ts';
import { findUserByEmail } from '../../src/accounts/user.ts';
import { emitRegistered } from '../../src/events/registered.ts';
import { verifyPassword } from '../../src/lib/crypto.ts';
import { DAY, ORIGIN, openPeopleWorld, PASSWORD, type PeopleWorld } from './people-world.ts';

const CHOSEN = 'a password that I chose';

let world: PeopleWorld;
let organizationId: string;
let adminId: string;
let email: string;
let count = 0;

beforeAll(async () => {
  world = await openPeopleWorld();
  adminId = await world.createUser('lin@north.example');
});
afterAll(() => world.close());
beforeEach(async () => {
  count += 1;
  email = `ada-${count}@school.example`;
  organizationId = await world.createOrganization('North School');
  await world.addMember(organizationId, adminId, 'ADMIN');
});

const admin = (id = organizationId) => world.context(id, 'ADMIN', adminId);

/** Invites, and answers the invitation with the token in its mail. */
async function invite(role: MemberRole = 'STUDENT', id = organizationId) {
  const invitation = await inviteMember(admin(id), { email, name: 'Ada', role });
  await world.sendMails();
  return { id: invitation.id, token: world.tokenFor(email) };
}

const accept = (acceptance: { token: string; name?: string; password?: string }) =>
  acceptInvitation(world.deps, { ...acceptance, origin: ORIGIN });

const membersOf = (id: string) =>
  world.sql(
    `SELECT u.email, u.name, m.role FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.organization_id = $1 AND u.id <> $2`,
    [id, adminId],
  );

describe('a person without an account', () => {
  it('is shown the invitation, as often as the link is opened, and makes nothing by looking', async () => {
    const { token } = await invite('EDUCATOR');
    for (const _ of [1, 2]) {
      expect(await findInvitationByToken(world.deps, token)).toEqual({
        organizationName: 'North School',
        email,
        name: 'Ada',
        role: 'EDUCATOR',
        needsPassword: true,
      });
    }
    expect(await findUserByEmail(world.authPool, email)).toBeNull();
    expect(await membersOf(organizationId)).toEqual([]);
  });

  it('chooses a password, may correct the name, and becomes a member', async () => {
    const { id, token } = await invite('EDUCATOR');
    const member = await accept({ token, name: ' Ada Lovelace ', password: CHOSEN });
    expect(await membersOf(organizationId)).toEqual([{ email, name: 'Ada Lovelace', role: 'EDUCATOR' }]);
    const hash = (await findPasswordHash(world.authPool, member.userId)) ?? '';
    expect(await verifyPassword(hash, CHOSEN)).toBe(true);
    expect(world.joined.at(-1)).toEqual(member);
    expect(member).toEqual({
      organizationId,
      userId: expect.any(String),
      role: 'EDUCATOR',
      at: world.clock.now(),
    });
    expect(world.committed.at(-1)).toBe(member.userId);
    expect(await findInvitation(admin(), id)).toMatchObject({ acceptedAt: world.clock.now() });
  });

  it('is told of in the audit log when they have joined', async () => {
    const { token } = await invite('EDUCATOR');
    const { userId } = await accept({ token, password: CHOSEN });
    const log = await world.auditLog(organizationId);
    expect(log.map(({ action }) => action)).toEqual(['member.invited', 'member.joined']);
    expect(log[1]).toEqual({
      action: 'member.joined',
      actor_kind: 'USER',
      actor_id: userId,
      actor_label: email,
      target_type: 'User',
      target_id: userId,
      target_label: email,
      changes: { role: { from: null, to: 'EDUCATOR' } },
      address: ORIGIN.address,
    });
    expect(JSON.stringify(log)).not.toMatch(new RegExp(`${token}|${CHOSEN}`));
  });

  it.each([
    ['password', {}],
    ['password', { password: 'short' }],
    ['name', { password: CHOSEN, name: '' }],
    ['name', { password: CHOSEN, name: 'Ada\nLovelace' }],
  ])('is told what is wrong with the %s, and the link stays good', async (path, input) => {
    const { token } = await invite();
    await expect(accept({ token, ...input })).rejects.toMatchObject({
      code: 'VALIDATION',
      faults: [{ path: [path], message: expect.any(String) }],
    });
    expect(await findInvitationByToken(world.deps, token)).not.toBeNull();
    expect(await findUserByEmail(world.authPool, email)).toBeNull();
  });
});

describe('a person with an account', () => {
  it('just accepts, and keeps name and password, whatever is sent along', async () => {
    const userId = await world.createUser(email);
    const { token } = await invite();
    expect(await findInvitationByToken(world.deps, token)).toMatchObject({ needsPassword: false });
    await accept({ token, name: 'Another', password: 'another password' });
    expect(await membersOf(organizationId)).toEqual([{ email, name: `Name of ${email}`, role: 'STUDENT' }]);
    const hash = (await findPasswordHash(world.authPool, userId)) ?? '';
    expect(await verifyPassword(hash, PASSWORD)).toBe(true);
  });

  it('without a password chooses one', async () => {
    const userId = await world.createUser(email, null);
    const { token } = await invite();
    await expect(accept({ token })).rejects.toMatchObject({ code: 'VALIDATION' });
    await accept({ token, password: CHOSEN });
    expect(await findPasswordHash(world.authPool, userId)).not.toBeNull();
  });

  it('that is deactivated stays out, and the link stays good', async () => {
    const userId = await world.createUser(email);
    const { token } = await invite();
    await world.sql('UPDATE users SET deactivated_at = now() WHERE id = $1', [userId]);
    await expect(accept({ token })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await membersOf(organizationId)).toEqual([]);
    expect(await findInvitationByToken(world.deps, token)).not.toBeNull();
  });

  it('who has become a member meanwhile keeps the role, and is not told to have joined again', async () => {
    const userId = await world.createUser(email);
    const { token } = await invite('ADMIN');
    await world.addMember(organizationId, userId, 'STUDENT');
    const before = world.joined.length;
    await accept({ token });
    expect(await membersOf(organizationId)).toMatchObject([{ role: 'STUDENT' }]);
    expect(world.joined).toHaveLength(before);
  });

  it('joins several organizations, each by its own link', async () => {
    const first = await invite();
    const other = await world.createOrganization('South School');
    await world.addMember(other, adminId, 'ADMIN');
    const second = await invite('EDUCATOR', other);
    await accept({ token: first.token, password: CHOSEN });
    await accept({ token: second.token });
    expect(await membersOf(organizationId)).toMatchObject([{ email, role: 'STUDENT' }]);
    expect(await membersOf(other)).toMatchObject([{ email, role: 'EDUCATOR' }]);
  });
});

describe('a link that is good no more', () => {
  it.each([
    ['was used', (_id: string, token: string) => accept({ token, password: CHOSEN })],
    ['was revoked', (id: string) => revokeInvitation(admin(), id)],
    ['has expired', async () => world.clock.advance(7 * DAY)],
    [
      'leads to an organization that is gone',
      () => world.sql('DELETE FROM organizations WHERE id = $1', [organizationId]),
    ],
  ])('because it %s lets nobody in', async (_, end) => {
    const { id, token } = await invite();
    await end(id, token);
    const members = await membersOf(organizationId);
    expect(await findInvitationByToken(world.deps, token)).toBeNull();
    await expect(accept({ token, password: CHOSEN })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await membersOf(organizationId)).toEqual(members);
  });

  it('because somebody guessed it lets nobody in', async () => {
    for (const token of ['', 'x'.repeat(43), 'x'.repeat(100_000)]) {
      expect(await findInvitationByToken(world.deps, token)).toBeNull();
      await expect(accept({ token, password: CHOSEN })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('at once', () => {
  it('several uses of a link make one member', async () => {
    const { token } = await invite();
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => accept({ token, password: CHOSEN })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await membersOf(organizationId)).toHaveLength(1);
  });

  it('links of two organizations make one account', async () => {
    const first = await invite();
    const other = await world.createOrganization('South School');
    await world.addMember(other, adminId, 'ADMIN');
    const second = await invite('STUDENT', other);
    await Promise.all([first, second].map(({ token }) => accept({ token, password: CHOSEN })));
    expect(await world.sql('SELECT FROM users WHERE email = $1', [email])).toHaveLength(1);
    expect(await membersOf(other)).toHaveLength(1);
  });

  it('accepting and revoking have one outcome', async () => {
    const { id, token } = await invite();
    const [accepted, revoked] = await Promise.allSettled([
      accept({ token, password: CHOSEN }),
      revokeInvitation(admin(), id),
    ]);
    expect([accepted.status, revoked.status].toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await membersOf(organizationId)).toHaveLength(accepted.status === 'fulfilled' ? 1 : 0);
  });
});

describe('user.registered', () => {
  it('is emitted in the transaction that makes the member, and wakes its lanes afterwards', async () => {
    await world.sql(
      `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types)
       VALUES ($1, gen_random_uuid(), 'https://lms.example', '{user.registered}')`,
      [organizationId],
    );
    const woken: string[] = [];
    const emit = { clock: world.clock, wakeLanes: (id: string) => void woken.push(id) };
    const deps = {
      ...world.deps,
      onMemberJoined: async (...[tx, member]: Parameters<typeof world.deps.onMemberJoined>) =>
        (await emitRegistered(tx, member, emit)).wake,
    };
    const { token } = await invite('EDUCATOR');
    const { userId } = await acceptInvitation(deps, { token, password: CHOSEN, origin: ORIGIN });
    const [event] = await world.sql('SELECT type, body FROM events WHERE organization_id = $1', [
      organizationId,
    ]);
    expect(event?.['type']).toBe('user.registered');
    expect(JSON.parse(String(event?.['body']))).toEqual({
      event: 'user.registered',
      timestamp: world.clock.now().toISOString(),
      organization_id: organizationId,
      data: { user_id: userId, role: 'EDUCATOR', registered_at: world.clock.now().toISOString() },
    });
    expect(
      await world.sql('SELECT FROM deliveries WHERE organization_id = $1', [organizationId]),
    ).toHaveLength(1);
    expect(woken).toEqual([organizationId]);
  });

  it('that fails leaves no member, no account, and the link good', async () => {
    const deps = { ...world.deps, onMemberJoined: () => Promise.reject(new Error('no event')) };
    const { token } = await invite();
    await expect(acceptInvitation(deps, { token, password: CHOSEN, origin: ORIGIN })).rejects.toThrow(
      'no event',
    );
    expect(await membersOf(organizationId)).toEqual([]);
    expect(await findUserByEmail(world.authPool, email)).toBeNull();
    expect(await findInvitationByToken(world.deps, token)).not.toBeNull();
  });
});
