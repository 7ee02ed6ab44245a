/** Members and invitations through GraphQL: what is answered, and to whom. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/graphql/global-id.ts';
import { newId } from '../../src/lib/ids.ts';
import { graphql } from '../generated/gql/index.ts';
import { execute, kindOf, read, startServer, type TestServer } from './support.ts';
import { ADMIN_ID, NORTH, SOUTH } from './viewers.ts';

const MEMBERS = graphql(`
  query FoundMembers($filter: MemberFilter, $first: Int) {
    organization {
      members(filter: $filter, first: $first) {
        nodes { id role version user { email } }
        totalCount { value }
      }
    }
  }
`);
const INVITATIONS = graphql(`
  query Invitations($status: InvitationStatus) {
    organization {
      invitations(status: $status) {
        nodes {
          id email name role status expiresAt acceptedAt mailSentAt mailError createdAt
          invitedBy { email }
        }
        totalCount { value accuracy }
      }
    }
  }
`);
const INVITE = graphql(`
  mutation Invite($input: InviteMemberInput!) {
    inviteMember(input: $input) {
      __typename
      ... on InviteMemberPayload { invitation { id email role status } }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
    }
  }
`);
const RESEND = graphql(`
  mutation Resend($input: ResendInvitationInput!) {
    resendInvitation(input: $input) {
      __typename
      ... on ResendInvitationPayload { invitation { id status } }
      ... on Error { message }
    }
  }
`);
const REVOKE = graphql(`
  mutation Revoke($input: RevokeInvitationInput!) {
    revokeInvitation(input: $input) {
      __typename
      ... on RevokeInvitationPayload { invitation { id status } }
      ... on Error { message }
    }
  }
`);
const CHANGE_ROLE = graphql(`
  mutation ChangeRole($input: ChangeMemberRoleInput!) {
    changeMemberRole(input: $input) {
      __typename
      ... on ChangeMemberRolePayload { membership { id role version } }
      ... on Error { message }
      ... on ConflictError { currentVersion }
    }
  }
`);
const REMOVE = graphql(`
  mutation Remove($input: RemoveMemberInput!) {
    removeMember(input: $input) {
      __typename
      ... on RemoveMemberPayload { removedId }
      ... on Error { message }
    }
  }
`);
const NODE = graphql(`
  query InvitationNode($id: ID!) { node(id: $id) { __typename id } }
`);

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function addMember(email: string, role = 'STUDENT', organizationId = NORTH): Promise<string> {
  const id = newId();
  await server.sql('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [
    id,
    email,
    `Name of ${email}`,
  ]);
  const values = [organizationId, id, role];
  await server.sql(
    'INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")',
    values,
  );
  return id;
}

const ada = (email: string) => ({ email, name: 'Ada', role: 'STUDENT' as const });

async function invite(token: string, email: string) {
  const { inviteMember } = await read(server, token, INVITE, { input: ada(email) });
  if (!('invitation' in inviteMember)) throw new Error(JSON.stringify(inviteMember));
  return inviteMember.invitation;
}

describe('inviting', () => {
  test('answers the invitation, which then stands in the list and is a node', async () => {
    const { id } = await invite('north-admin', 'ada@school.example');
    const { organization } = await read(server, 'north-admin', INVITATIONS, { status: 'PENDING' });
    expect(organization?.invitations).toEqual({
      nodes: [
        {
          id,
          email: 'ada@school.example',
          name: 'Ada',
          role: 'STUDENT',
          status: 'PENDING',
          createdAt: server.clock.now().toISOString(),
          expiresAt: new Date(server.clock.now().getTime() + 7 * 86_400_000).toISOString(),
          acceptedAt: null,
          mailSentAt: null,
          mailError: null,
          invitedBy: { email: 'lin@north.example' },
        },
      ],
      totalCount: { value: 1, accuracy: 'EXACT' },
    });
    expect(await read(server, 'north-admin', NODE, { id })).toEqual({
      node: { __typename: 'Invitation', id },
    });
    expect(await read(server, 'south', NODE, { id })).toEqual({ node: null });
    expect(await server.sql(`SELECT template FROM outgoing_mails`)).toEqual([{ template: 'invitation' }]);
  });

  test('names every fault by its place in the input', async () => {
    const input = { email: 'ada', name: ' ', role: 'STUDENT' as const };
    const { inviteMember } = await read(server, 'north-admin', INVITE, { input });
    expect(inviteMember).toMatchObject({
      __typename: 'ValidationError',
      faults: [{ path: ['input', 'email'] }, { path: ['input', 'name'] }],
    });
  });

  test('has typed errors for a conflict, a role above one’s own, and another organization', async () => {
    const taken = await read(server, 'north-admin', INVITE, { input: ada('lin@north.example') });
    expect(kindOf(taken.inviteMember)).toBe('ConflictError');
    const above = { ...ada('eve@school.example'), role: 'ADMIN' as const };
    for (const token of ['north-inviter', 'north-admin-token']) {
      const { inviteMember } = await read(server, token, INVITE, { input: above });
      expect(inviteMember).toMatchObject({
        __typename: 'ForbiddenError',
        message: 'Only an admin who is signed in may invite an ADMIN.',
      });
    }
    const elsewhere = { ...ada('eve@school.example'), organizationId: globalId('Organization', SOUTH) };
    const { inviteMember } = await read(server, 'north-admin', INVITE, { input: elsewhere });
    expect(kindOf(inviteMember)).toBe('NotFoundError');
  });

  test.each(['north-student', 'north-student-token', 'north-reader', 'north-nothing'])(
    'is not for %s',
    async (token) => {
      const { inviteMember } = await read(server, token, INVITE, { input: ada('eve@school.example') });
      expect(kindOf(inviteMember)).toBe('ForbiddenError');
    },
  );

  test('again and taking back answer the invitation as it is, or why not', async () => {
    const { id } = await invite('north-inviter', 'bob@school.example');
    const soon = await read(server, 'north-admin', RESEND, { input: { id } });
    expect(kindOf(soon.resendInvitation)).toBe('ConflictError');
    server.clock.advance(300_000);
    const { resendInvitation } = await read(server, 'north-admin', RESEND, { input: { id } });
    expect(resendInvitation).toMatchObject({ invitation: { id, status: 'PENDING' } });
    const resent = await read(server, 'south', RESEND, { input: { id } });
    expect(kindOf(resent.resendInvitation)).toBe('NotFoundError');
    const revoked = await read(server, 'south', REVOKE, { input: { id } });
    expect(kindOf(revoked.revokeInvitation)).toBe('NotFoundError');
    const { revokeInvitation } = await read(server, 'north-admin', REVOKE, { input: { id } });
    expect(revokeInvitation).toMatchObject({ invitation: { id, status: 'REVOKED' } });
    const again = await read(server, 'north-admin', REVOKE, { input: { id } });
    expect(kindOf(again.revokeInvitation)).toBe('ConflictError');
  });

  test('shows the list to whom it may concern', async () => {
    const { errors } = await execute(server, 'north-inviter', INVITATIONS, {});
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN', requiredScope: 'read:users' } }]);
    const south = await read(server, 'south', INVITATIONS, {});
    expect(south.organization?.invitations.nodes).toEqual([]);
  });
});

describe('members', () => {
  test('are found by role and search, with what they are', async () => {
    await addMember('mia@north.example', 'EDUCATOR');
    await addMember('mia@south.example', 'EDUCATOR', SOUTH);
    const filter = { search: 'MIA@', roles: ['EDUCATOR' as const] };
    const { organization } = await read(server, 'north-admin', MEMBERS, { filter });
    expect(organization?.members).toMatchObject({
      nodes: [{ role: 'EDUCATOR', version: 1, user: { email: 'mia@north.example' } }],
      totalCount: { value: 1 },
    });
    const { errors } = await execute(server, 'north-admin', MEMBERS, { filter: { search: 'x'.repeat(101) } });
    expect(errors).toMatchObject([
      { extensions: { code: 'BAD_USER_INPUT', faults: [{ path: ['filter', 'search'] }] } },
    ]);
  });

  test('get another role from an admin who is signed in', async () => {
    const userId = await addMember('ed@north.example');
    const input = { membershipId: globalId('Membership', userId), role: 'EDUCATOR' as const };
    const { changeMemberRole } = await read(server, 'north-admin', CHANGE_ROLE, { input });
    expect(changeMemberRole).toMatchObject({ membership: { role: 'EDUCATOR', version: 2 } });
    const stale = { ...input, role: 'STUDENT' as const, expectedVersion: 1 };
    expect(await read(server, 'north-admin', CHANGE_ROLE, { input: stale })).toMatchObject({
      changeMemberRole: { __typename: 'ConflictError', currentVersion: 2 },
    });
  });

  test('are changed by no token, whatever its scopes, and by no student', async () => {
    const userId = await addMember('bo@north.example');
    const membershipId = globalId('Membership', userId);
    for (const token of ['north', 'north-admin-token', 'north-student', 'south']) {
      const change = await read(server, token, CHANGE_ROLE, { input: { membershipId, role: 'ADMIN' } });
      expect(kindOf(change.changeMemberRole)).toBe('ForbiddenError');
      const removal = await read(server, token, REMOVE, { input: { membershipId } });
      expect(kindOf(removal.removeMember)).toBe('ForbiddenError');
    }
  });

  test('leave, but for the last admin', async () => {
    const userId = await addMember('joe@north.example');
    const membershipId = globalId('Membership', userId);
    const { removeMember } = await read(server, 'north-admin', REMOVE, { input: { membershipId } });
    expect(removeMember).toMatchObject({ removedId: membershipId });
    const again = await read(server, 'north-admin', REMOVE, { input: { membershipId } });
    expect(kindOf(again.removeMember)).toBe('NotFoundError');
    const last = await read(server, 'north-admin', REMOVE, {
      input: { membershipId: globalId('Membership', ADMIN_ID) },
    });
    expect(last.removeMember).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining('the last admin'),
    });
  });

  test('of another organization do not exist', async () => {
    const stranger = await addMember('sue@south.example', 'ADMIN', SOUTH);
    const input = { membershipId: globalId('Membership', stranger) };
    const { removeMember } = await read(server, 'north-admin', REMOVE, { input });
    expect(kindOf(removeMember)).toBe('NotFoundError');
  });
});

test('an invitation with an idempotency key answers the same again and invites nobody else (convention 4)', async () => {
  const input = {
    email: 'once@north.example',
    name: 'Ada',
    role: 'STUDENT',
    idempotencyKey: 'invite-1',
  } as const;
  const { inviteMember: first } = await read(server, 'north-inviter', INVITE, { input });
  expect(kindOf(first)).toBe('InviteMemberPayload');
  const { inviteMember: again } = await read(server, 'north-inviter', INVITE, { input });
  expect(again).toEqual(first);
  expect(await server.sql('SELECT FROM invitations WHERE email = $1', [input.email])).toHaveLength(1);
  const other = { ...input, email: 'other@north.example' };
  const { inviteMember: refused } = await read(server, 'north-inviter', INVITE, { input: other });
  expect(kindOf(refused)).toBe('ConflictError');
});
