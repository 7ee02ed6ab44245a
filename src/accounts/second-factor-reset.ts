/**
 * For somebody who has lost the second factor and every recovery code: an admin takes it away, or the operator does
 * where nobody is left. The person signs in with the password alone then, and sets up a new one.
 */
import type { Pool, PoolClient } from 'pg';
import { type AuditSource, OPERATOR, type RequestOrigin, sourceOf } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid, newId } from '../lib/ids.ts';
import { inTransaction } from '../platform/database/pool.ts';
import { type MailRequest, queueMail } from '../platform/mail/outbox.ts';
import type { MailAccess } from './people-mail.ts';
import { SECOND_FACTOR_RESET_TEMPLATE } from './second-factor-reset-mail.ts';
import { type ResetSubject, selectResetSubject } from './second-factor-reset-statements.ts';
import { deleteSecondFactor } from './second-factor-statements.ts';
import { endSessions } from './session-statements.ts';
import { findUserByEmail } from './user.ts';
import { requireSession, type Viewer } from './viewer.ts';

export type SecondFactorResetDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly mail: MailAccess;
};

export type ResetSecondFactor = (
  viewer: Viewer,
  userId: string,
  origin: RequestOrigin,
) => Promise<{ readonly hadSecondFactor: boolean }>;

const MAIL_MS = 24 * 3_600_000;

/**
 * Takes a member's second factor away, ends the sessions, and tells the person by mail. An ADMIN who has signed in may do
 * it for who is a member of that organization alone; an admin of the platform for everybody. Nobody for oneself: a
 * session that was left open is not enough. Safe to repeat.
 * Errors: `FORBIDDEN`, `NOT_FOUND`, `CONFLICT` for oneself.
 */
export function resetSecondFactor({ pool, clock, mail }: SecondFactorResetDeps): ResetSecondFactor {
  return async (viewer, userId, origin) => {
    const { userId: actorId } = requireSession(viewer);
    const isPlatformAdmin = viewer.session?.isPlatformAdmin === true;
    if (viewer.role !== 'ADMIN' && !isPlatformAdmin)
      throw new AppError('FORBIDDEN', 'This needs the role ADMIN.');
    if (userId === actorId) throw oneself();
    const hadSecondFactor = await inTransaction(pool, async (tx) => {
      const subject = await findSubject(tx, userId, viewer.organizationId);
      if (subject === undefined || !(isPlatformAdmin || subject.isMember)) throw noMember(userId);
      if (!isPlatformAdmin && subject.isMoreThanMember) throw beyondOrganization();
      return takeAway(tx, subject, { source: sourceOf(viewer, origin), now: clock.now(), mail });
    });
    mail.hurry();
    return { hadSecondFactor };
  };
}

/** The same for the operator, who knows the person by the address. Errors: `NOT_FOUND`. */
export async function resetSecondFactorAsOperator(
  { pool, clock, mail }: SecondFactorResetDeps,
  email: string,
): Promise<{ readonly hadSecondFactor: boolean }> {
  return inTransaction(pool, async (tx) => {
    const user = await findUserByEmail(tx, email);
    if (user === null) throw new AppError('NOT_FOUND', `There is no account ${JSON.stringify(email)}.`);
    return { hadSecondFactor: await takeAway(tx, user, { source: OPERATOR, now: clock.now(), mail }) };
  });
}

async function findSubject(
  tx: PoolClient,
  userId: string,
  organizationId: string,
): Promise<ResetSubject | undefined> {
  if (!isUuid(userId)) return undefined;
  const { rows } = await tx.query<ResetSubject>(selectResetSubject(userId, organizationId));
  return rows[0];
}

/** Whoever has none is left as it is. */
async function takeAway(
  tx: PoolClient,
  { id, email }: { readonly id: string; readonly email: string },
  { source, now, mail }: { readonly source: AuditSource; readonly now: Date; readonly mail: MailAccess },
): Promise<boolean> {
  const { rowCount } = await tx.query(deleteSecondFactor(id));
  if (rowCount !== 1) return false;
  await tx.query(endSessions(id, null, now));
  const target = { type: 'User', id, label: email } as const;
  await recordOn(tx, { place: { userId: id }, source, now }, { action: 'second_factor.reset', target });
  if (mail.canSend) await queueMail(tx, notification(id, now), now);
  return true;
}

function notification(userId: string, now: Date): MailRequest {
  const template = SECOND_FACTOR_RESET_TEMPLATE;
  const expiresAt = new Date(now.getTime() + MAIL_MS);
  return {
    id: newId(),
    key: `${template} ${userId}`,
    template,
    data: { userId, at: now.toISOString() },
    expiresAt,
  };
}

function oneself(): AppError {
  return new AppError('CONFLICT', 'Your own second factor is turned off at /account, with a code of it.');
}

function noMember(userId: string): AppError {
  return new AppError('NOT_FOUND', `There is no member ${JSON.stringify(userId)}.`);
}

function beyondOrganization(): AppError {
  const message =
    'This account is more than a member of your organization; an admin of the platform has to reset its second factor.';
  return new AppError('FORBIDDEN', message);
}
