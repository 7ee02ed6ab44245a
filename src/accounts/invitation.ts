/**
 * Invitations, from the side of the organization: invite, send again, revoke. Nothing here looks beyond the
 * organization's own rows, so that nothing tells whether an address has an account elsewhere.
 */
import { z } from 'zod';
import { beginning } from '../audit/difference.ts';
import type { AuditTarget } from '../audit/entry.ts';
import { record } from '../audit/record.ts';
import type { Invitation, Prisma } from '../generated/prisma/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { once } from './idempotency.ts';
import { type InvitationInput, parseInvitation, requireMayInviteAs } from './invitation-input.ts';
import { type MailAccess, requireMail } from './people-mail.ts';
import { authorize, type RequestContext } from './viewer.ts';

export const MAY_INVITE = { scope: 'write:users', roles: ['ADMIN', 'EDUCATOR'] } as const;
export type PeopleDependencies = {
  readonly clock: Clock;
  readonly mail: MailAccess;
  readonly keys: MasterKeys;
};
export type PeopleContext = RequestContext & PeopleDependencies;

const DAY_MS = 86_400_000;
/** An invitation is good for so long. */
export const INVITATION_MS = 7 * DAY_MS;
/** It is not mailed again within it. */
export const INVITATION_PAUSE_MS = 300_000;

const INVITED = z.object({ id: z.string() });

/**
 * Invites a person by mail; the same `idempotencyKey` within 24 hours answers the invitation of the first time. Errors: `FORBIDDEN`; `VALIDATION` (paths `email`, `name`); `CONFLICT` when the person is a
 * member or is invited already, and where mail is not configured.
 */
export async function inviteMember(
  context: PeopleContext,
  input: InvitationInput,
  idempotencyKey?: string,
): Promise<Invitation> {
  authorize(context.viewer, MAY_INVITE);
  const person = parseInvitation(input);
  requireMayInviteAs(context.viewer, person.role);
  requireMail(context.mail);
  const request = { operation: 'inviteMember', key: idempotencyKey, input: person, answer: INVITED };
  const { organizationId } = context.viewer;
  return context.write(async (unit) => {
    const { answer } = await once(unit, context, request, () => invite(unit, context, person));
    const where = { organizationId_id: { organizationId, id: answer.id } };
    return unit.tx.invitation.findUniqueOrThrow({ where });
  });
}

async function invite(
  unit: Unit,
  context: PeopleContext,
  person: InvitationInput,
): Promise<z.infer<typeof INVITED>> {
  const now = context.clock.now();
  await refuseMember(unit, context, person.email);
  await revokeExpired(unit, context, person.email, now);
  const invitation = await createInvitation(unit, context, person, now);
  await queueInvitation(unit, context, invitation, now);
  const changes = beginning({ email: person.email, role: person.role });
  await record(unit.tx, context, now, { action: 'member.invited', target: targetOf(invitation), changes });
  return { id: invitation.id };
}

/**
 * Mails an open invitation again; the link before is good for nothing as soon as the new one leaves, and the time it is
 * good for begins anew. Errors: `FORBIDDEN`, `NOT_FOUND`; `CONFLICT` when it is not open, or was mailed just now.
 */
export async function resendInvitation(context: PeopleContext, id: string): Promise<Invitation> {
  authorize(context.viewer, MAY_INVITE);
  requireMail(context.mail);
  const now = context.clock.now();
  return context.write(async (unit) => {
    const invitation = await requireOpen(unit, context, id);
    requireMayInviteAs(context.viewer, invitation.role);
    const { count } = await unit.tx.invitation.updateMany({
      where: {
        ...keyOf(invitation),
        ...OPEN,
        mailQueuedAt: { lte: new Date(now.getTime() - INVITATION_PAUSE_MS) },
      },
      data: {
        expiresAt: new Date(now.getTime() + INVITATION_MS),
        mailQueuedAt: now,
        mailSentAt: null,
        mailError: null,
      },
    });
    if (count === 0) {
      throw new AppError('CONFLICT', 'It was sent within the last five minutes; wait a little.');
    }
    await queueInvitation(unit, context, invitation, now);
    await record(unit.tx, context, now, {
      action: 'member.invitation_resent',
      target: targetOf(invitation),
    });
    return requireInvitation(unit, context, id);
  });
}

/** Revokes an open invitation: its link is good for nothing. Errors: `FORBIDDEN`, `NOT_FOUND`, `CONFLICT`. */
export async function revokeInvitation(context: PeopleContext, id: string): Promise<Invitation> {
  authorize(context.viewer, MAY_INVITE);
  return context.write(async (unit) => {
    const invitation = await requireOpen(unit, context, id);
    const [revoked] = await revokeOpen(unit, context, keyOf(invitation));
    if (revoked === undefined) throw accepted();
    return revoked;
  });
}

/** Revokes those of the organization's open invitations that `which` says, and records it. */
export async function revokeOpen(
  { tx }: Unit,
  context: PeopleContext,
  which: Prisma.InvitationWhereInput,
): Promise<readonly Invitation[]> {
  const now = context.clock.now();
  const where = { ...which, organizationId: context.viewer.organizationId, ...OPEN };
  const revoked = await tx.invitation.updateManyAndReturn({ where, data: { revokedAt: now } });
  for (const invitation of revoked) {
    await record(tx, context, now, { action: 'member.invitation_withdrawn', target: targetOf(invitation) });
  }
  return revoked;
}

/** Neither accepted nor revoked; it may have expired. */
export const OPEN = { acceptedAt: null, revokedAt: null } as const;

function targetOf({ id, email }: Pick<Invitation, 'id' | 'email'>): AuditTarget {
  return { type: 'Invitation', id, label: email };
}

function keyOf({ organizationId, id }: Pick<Invitation, 'organizationId' | 'id'>) {
  return { organizationId, id };
}

async function refuseMember({ tx }: Unit, { viewer }: PeopleContext, email: string): Promise<void> {
  const { organizationId } = viewer;
  const where = { organizationId, user: { email } };
  if ((await tx.membership.count({ where, take: 1 })) > 0) {
    throw new AppError('CONFLICT', `${email} is a member of the organization already.`);
  }
}

/** So that who did not come in time can be invited anew. */
async function revokeExpired(
  { tx }: Unit,
  { viewer }: PeopleContext,
  email: string,
  now: Date,
): Promise<void> {
  const where = { organizationId: viewer.organizationId, email, ...OPEN, expiresAt: { lte: now } };
  await tx.invitation.updateMany({ where, data: { revokedAt: now } });
}

async function createInvitation(
  { tx }: Unit,
  { viewer }: PeopleContext,
  person: InvitationInput,
  now: Date,
): Promise<Invitation> {
  const invitation = {
    organizationId: viewer.organizationId,
    id: newId(),
    ...person,
    invitedById: viewer.userId,
    createdAt: now,
    mailQueuedAt: now,
    expiresAt: new Date(now.getTime() + INVITATION_MS),
  };
  // With a conflict as a value, because an error would end the transaction.
  const [created] = await tx.invitation.createManyAndReturn({ data: [invitation], skipDuplicates: true });
  if (created !== undefined) return created;
  throw new AppError(
    'CONFLICT',
    `${person.email} is invited already; the invitation can be sent again or revoked by who made it or an admin.`,
  );
}

async function queueInvitation(
  unit: Unit,
  { mail }: PeopleContext,
  { id }: Pick<Invitation, 'id'>,
  now: Date,
): Promise<void> {
  await unit.tx.$executeRaw`SELECT optio.queue_invitation_mail(${id}::uuid, ${now}::timestamptz)`;
  unit.afterCommit(mail.hurry);
}

async function requireInvitation({ tx }: Unit, { viewer }: PeopleContext, id: string): Promise<Invitation> {
  const { organizationId } = viewer;
  const invitation = isUuid(id)
    ? await tx.invitation.findUnique({ where: { organizationId_id: { organizationId, id } } })
    : null;
  if (invitation === null) throw new AppError('NOT_FOUND', `There is no invitation ${JSON.stringify(id)}.`);
  return invitation;
}

async function requireOpen(unit: Unit, context: PeopleContext, id: string): Promise<Invitation> {
  const invitation = await requireInvitation(unit, context, id);
  if (invitation.acceptedAt !== null) throw accepted();
  if (invitation.revokedAt !== null) throw new AppError('CONFLICT', 'The invitation was revoked already.');
  return invitation;
}

function accepted(): AppError {
  return new AppError('CONFLICT', 'The invitation was accepted already.');
}
