/** Invitations, and what can be done with them. */

import {
  inviteMember,
  MAY_INVITE,
  type PeopleContext,
  resendInvitation,
  revokeInvitation,
} from '../../accounts/invitation.ts';
import { countInvitations, invitationStatus, listInvitations } from '../../accounts/invitation-list.ts';
import { requireOwnOrganization } from '../../accounts/viewer.ts';
import type { Invitation } from '../../generated/prisma/client.ts';
import { Role } from '../../generated/prisma/client.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId, localId } from '../global-id.ts';
import { given, idempotencyKey, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';

/** Registers Invitation, Organization.invitations, inviteMember, resendInvitation and revokeInvitation. */
export function addInvitation(builder: Builder): void {
  addInvitations(builder, addInvitationType(builder));
  addInvite(builder);
  addChange(builder, {
    name: 'resendInvitation',
    what: 'mailed again',
    description:
      'Mails an open invitation again; its time begins anew, and the link before is good for nothing.',
    act: resendInvitation,
  });
  addChange(builder, {
    name: 'revokeInvitation',
    what: 'revoked',
    description: 'Revokes an open invitation: its link is good for nothing.',
    act: revokeInvitation,
  });
}

function addInvitationType(builder: Builder) {
  const status = builder.enumType('InvitationStatus', {
    description: 'What has become of an invitation.',
    values: {
      PENDING: { description: 'It can be accepted.' },
      ACCEPTED: { description: 'The person has become a member.' },
      REVOKED: { description: 'It was taken back.' },
      EXPIRED: { description: 'It was not accepted in time.' },
    },
  });
  builder.prismaObject('Invitation', {
    description: 'An invitation to become a member, sent by mail.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Invitation', id) }),
      email: t.exposeString('email', { description: 'The address that it was mailed to, in lower case.' }),
      name: t.exposeString('name', { description: 'The name that the inviting person gave.' }),
      role: t.expose('role', { type: Role, description: 'What the person is to be in the organization.' }),
      status: t.field({
        type: status,
        description: 'What has become of it.',
        resolve: (invitation, _args, { features }) =>
          invitationStatus(invitation, features().context.clock.now()),
      }),
      invitedBy: t.relation('invitedBy', {
        nullable: true,
        description: 'Who invited; null when a client did, or the user is no member any more.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
      expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when it can be accepted.' }),
      acceptedAt: t.expose('acceptedAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it was accepted.',
      }),
      mailSentAt: t.expose('mailSentAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When the mail server took the mail; null: not yet.',
      }),
      mailError: t.exposeString('mailError', {
        nullable: true,
        description: 'Why the mail could not be sent, such as an unknown mailbox.',
      }),
    }),
  });
  builder.connectionObject(
    { type: 'Invitation', name: 'InvitationConnection', description: 'A page of invitations.' },
    { name: 'InvitationEdge', description: 'An invitation in a list.' },
  );
  return status;
}

function addInvitations(builder: Builder, status: ReturnType<typeof addInvitationType>): void {
  builder.objectFields('Organization', (t) => ({
    invitations: t.field({
      description: 'Its invitations, newest first; to an educator, those that the educator made.',
      type: 'InvitationConnection',
      args: {
        status: t.arg({ type: status, description: 'Those of this status; all if left out.' }),
        ...pageArguments(t.arg),
      },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const wanted = given(args.status);
        const invitations = await listInvitations(context, wanted, page);
        return toConnection(
          invitations,
          page,
          ({ id }) => id,
          () => countInvitations(context, wanted),
        );
      },
    }),
  }));
}

function addInvite(builder: Builder): void {
  const input = builder.inputType('InviteMemberInput', {
    description: 'Whom to invite.',
    fields: (t) => ({
      organizationId: t.id({ description: "The organization it is for; the viewer's if left out." }),
      email: t.string({ required: true, description: 'The address to mail to.' }),
      name: t.string({ required: true, description: "The person's name: 1 to 200 characters." }),
      role: t.field({
        type: Role,
        required: true,
        description: 'What the person is to be. Only an admin who is signed in may invite an ADMIN.',
      }),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = invitationPayload(builder, 'InviteMemberPayload', 'The invitation that was made.');
  builder.mutationField('inviteMember', (t) =>
    t.field({
      ...access(MAY_INVITE),
      description:
        'Invites a person by mail. It is not told whether the address has an account in another organization.',
      type: payload,
      errors: resultOf('InviteMemberResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Whom to invite.' }) },
      resolve: (_root, args, { features }) => {
        const { context } = features();
        const { organizationId, idempotencyKey: repeated, ...person } = args.input;
        const id = given(organizationId);
        requireOwnOrganization(context.viewer, id === undefined ? undefined : localId('Organization', id));
        return inWordsOfInput(() => inviteMember(context, person, given(repeated)));
      },
    }),
  );
}

const ERRORS = [ValidationError, NotFoundError, ConflictError, ForbiddenError];

type Change = {
  readonly name: 'resendInvitation' | 'revokeInvitation';
  readonly what: string;
  readonly description: string;
  readonly act: (context: PeopleContext, id: string) => Promise<Invitation>;
};

function addChange(builder: Builder, { name, what, description, act }: Change): void {
  const typeName = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const input = builder.inputType(`${typeName}Input`, {
    description: `An invitation to be ${what}.`,
    fields: (t) => ({ id: t.id({ required: true, description: 'The global id of the invitation.' }) }),
  });
  const payload = invitationPayload(builder, `${typeName}Payload`, `The invitation that was ${what}.`);
  builder.mutationField(name, (t) =>
    t.field({
      ...access(MAY_INVITE),
      description,
      type: payload,
      errors: resultOf(`${typeName}Result`, [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'Which invitation.' }) },
      resolve: (_root, args, { features }) => act(features().context, localId('Invitation', args.input.id)),
    }),
  );
}

function invitationPayload(builder: Builder, name: string, description: string) {
  return builder.objectRef<Invitation>(name).implement({
    description,
    fields: (t) => ({
      invitation: t.field({
        type: 'Invitation',
        description: 'The invitation as it is now.',
        resolve: (invitation) => invitation,
      }),
    }),
  });
}
