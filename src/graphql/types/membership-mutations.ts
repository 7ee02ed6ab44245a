/** Mutations of memberships. */
import { changeMemberRole, MAY_MANAGE_MEMBERS, removeMember } from '../../accounts/member.ts';
import { type Membership, Role } from '../../generated/prisma/client.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import { given, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError } from './error.ts';

const ERRORS = [NotFoundError, ConflictError, ForbiddenError];

/** Registers changeMemberRole and removeMember. */
export function addMembershipMutations(builder: Builder): void {
  addChangeRole(builder);
  addRemove(builder);
}

function addChangeRole(builder: Builder): void {
  const input = builder.inputType('ChangeMemberRoleInput', {
    description: 'A member who is to have another role.',
    fields: (t) => ({
      membershipId: t.id({ required: true, description: 'The global id of the membership.' }),
      role: t.field({ type: Role, required: true, description: 'What the member is to be.' }),
      expectedVersion: t.int({
        description: 'The version that is to be changed; if it has another one by now, nothing is changed.',
      }),
    }),
  });
  const payload = builder.objectRef<Membership>('ChangeMemberRolePayload').implement({
    description: 'The membership as it is now.',
    fields: (t) => ({
      membership: t.field({
        type: 'Membership',
        description: 'The membership.',
        resolve: (membership) => membership,
      }),
    }),
  });
  builder.mutationField('changeMemberRole', (t) =>
    t.field({
      ...access(MAY_MANAGE_MEMBERS),
      description: 'Gives a member another role, at once, in open sessions, too. The last admin stays one.',
      type: payload,
      errors: resultOf('ChangeMemberRoleResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Whose role, and which.' }) },
      resolve: (_root, args, { features }) => {
        const { membershipId, role, expectedVersion } = args.input;
        const userId = localId('Membership', membershipId);
        const change = { userId, role, expectedVersion: given(expectedVersion) };
        return inWordsOfInput(() => changeMemberRole(features().context, change));
      },
    }),
  );
}

function addRemove(builder: Builder): void {
  const input = builder.inputType('RemoveMemberInput', {
    description: 'A member who is to leave the organization.',
    fields: (t) => ({
      membershipId: t.id({ required: true, description: 'The global id of the membership.' }),
    }),
  });
  const payload = builder.objectRef<Membership>('RemoveMemberPayload').implement({
    description: 'What was removed.',
    fields: (t) => ({
      removedId: t.id({
        description: 'The global id that the membership had.',
        resolve: ({ userId }) => globalId('Membership', userId),
      }),
    }),
  });
  builder.mutationField('removeMember', (t) =>
    t.field({
      ...access(MAY_MANAGE_MEMBERS),
      description:
        'Takes a member out of the organization, at once; open invitations that the member made are revoked. The last admin stays.',
      type: payload,
      errors: resultOf('RemoveMemberResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Who is to leave.' }) },
      resolve: (_root, args, { features }) =>
        removeMember(features().context, localId('Membership', args.input.membershipId)),
    }),
  );
}
