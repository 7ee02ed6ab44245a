/**
 * Password reset by mail. Asking for it does the same work and answers the same whether the address has an account:
 * a row in the outbox. Who it is for is found out when the mail is composed.
 */
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import type { RequestOrigin } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { hashPassword } from '../lib/crypto.ts';
import { AppError, validationError } from '../lib/errors.ts';
import type { Gate } from '../lib/gate.ts';
import { newId } from '../lib/ids.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import { writeLetter } from '../platform/mail/letter.ts';
import { isMailAddress, type Mail } from '../platform/mail/mail.ts';
import type { MailTemplate } from '../platform/mail/mailer.ts';
import { queueMail } from '../platform/mail/outbox.ts';
import { consumeToken, findToken, issueToken } from './one-time-token.ts';
import { requireGoodPassword } from './password.ts';
import { type MailAccess, requireMail } from './people-mail.ts';
import { endSessions } from './session-statements.ts';
import { selectUser, type User, upsertPassword } from './statements.ts';
import { findUserByEmail } from './user.ts';

export const PASSWORD_RESET_TEMPLATE = 'password_reset';

const HOUR_MS = 3_600_000;
/** A link is good for so long. */
const TOKEN_MS = HOUR_MS;
/**
 * No second link within it: whoever asks again and again neither fills a mailbox nor keeps making the last link bad.
 */
const PAUSE_MS = 300_000;

export type PasswordResetDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly mail: MailAccess;
  readonly publicUrl: string;
  /** What hashes passwords goes through it: `PASSWORD_GATE`. */
  readonly gate: Gate;
};

/**
 * Asks for a mail with a link; what comes of it, if anything, is in the mailbox alone. The caller limits how often.
 * Errors: `VALIDATION` for what is no address, `CONFLICT` without a mail server, `UNAVAILABLE`.
 */
export async function requestPasswordReset(
  deps: PasswordResetDeps,
  { email: typed, origin }: { readonly email: string; readonly origin: RequestOrigin },
): Promise<void> {
  requireMail(deps.mail);
  const email = typed.trim().toLowerCase();
  if (!isMailAddress(email)) {
    const message = 'An email address is expected, such as ada@school.example.';
    throw validationError([{ path: ['email'], message }]);
  }
  const now = deps.clock.now();
  const key = `${PASSWORD_RESET_TEMPLATE} ${email}`;
  const expiresAt = new Date(now.getTime() + HOUR_MS);
  const mail = { id: newId(), key, template: PASSWORD_RESET_TEMPLATE, data: { email, origin }, expiresAt };
  await inTransaction(deps.pool, (tx) => queueMail(tx, mail, now));
  deps.mail.hurry();
}

const text = z.string().nullable();
const DATA = z.object({
  email: z.string(),
  origin: z.object({ address: text, userAgent: text, requestId: text }),
});

/** Composes the mail for an address that has an active account; nothing for any other. */
export function passwordResetTemplate({
  pool,
  clock,
  publicUrl,
}: Pick<PasswordResetDeps, 'pool' | 'clock' | 'publicUrl'>): MailTemplate {
  return {
    compose: async (data, attempt) => {
      const { email, origin } = DATA.parse(data);
      return inTransaction(pool, async (tx) => {
        const user = await findUserByEmail(tx, email);
        if (user === null || user.deactivatedAt !== null) return null;
        const now = clock.now();
        const token = await issueToken(
          tx,
          { purpose: 'PASSWORD_RESET', subjectId: user.id },
          timesOf(attempt, now),
        );
        if (token === null) return null;
        if (attempt === 1) await recordRequest(tx, user, origin, now);
        return compose(user.email, `${publicUrl}/reset?token=${token}`);
      });
    },
  };
}

/** A further attempt follows a link that did not get out, and need not wait. */
function timesOf(attempt: number, now: Date) {
  const expiresAt = new Date(now.getTime() + TOKEN_MS);
  return attempt === 1
    ? { now, expiresAt, notSince: new Date(now.getTime() - PAUSE_MS) }
    : { now, expiresAt };
}

/** Once for each link that is made, however often it was asked for: nobody can fill the log. */
async function recordRequest(tx: PoolClient, user: User, origin: RequestOrigin, now: Date): Promise<void> {
  const source = { ...origin, actor: { kind: 'ANONYMOUS' } } as const;
  const target = { type: 'User', id: user.id, label: user.email } as const;
  await recordOn(
    tx,
    { place: { userId: user.id }, source, now },
    { action: 'password.reset_requested', target },
  );
}

function compose(to: string, url: string): Mail {
  return writeLetter({
    to,
    subject: 'Choose a new password for Optio Connect',
    paragraphs: [
      'Somebody, hopefully you, asked for a new password for your account at Optio Connect.',
      'The link below lets you choose one. It is good for one hour, and once.',
    ],
    link: { label: 'Choose a new password', url },
    notes: ['If it was not you, leave this mail as it is: nothing has changed.'],
  });
}

/** Whose password the token in a link may change; null when the link is not good (any more). Uses nothing up. */
export async function findPasswordReset(
  { pool, clock }: Pick<PasswordResetDeps, 'pool' | 'clock'>,
  token: string,
): Promise<Pick<User, 'email' | 'name'> | null> {
  return inTransaction(pool, async (tx) => {
    const userId = await findToken(tx, 'PASSWORD_RESET', token, clock.now());
    return userId === null ? null : findActiveUser(tx, userId);
  });
}

export type NewPassword = {
  readonly token: string;
  readonly password: string;
  readonly origin: RequestOrigin;
};

/**
 * Gives the user another password, uses the token up, and ends what the old password had opened, in one transaction:
 * sessions here, tokens by the database (docs/adr/0028). A second factor stays. Errors: `NOT_FOUND` when the link is not good (any more); `VALIDATION` (path `password`), which
 * leaves the link good; `UNAVAILABLE`.
 */
export async function resetPassword(
  deps: PasswordResetDeps,
  { token, password, origin }: NewPassword,
): Promise<void> {
  // Before the password is hashed, so that only who holds a link makes the server do so.
  const found = await findPasswordReset(deps, token);
  if (found === null) throw badLink();
  requireGoodPassword(password, found);
  const hash = await deps.gate(() => hashPassword(password));
  await inTransaction(deps.pool, async (tx) => {
    const now = deps.clock.now();
    const userId = await consumeToken(tx, 'PASSWORD_RESET', token, now);
    const user = userId === null ? null : await findActiveUser(tx, userId);
    if (user === null) throw badLink();
    await tx.query(upsertPassword(user.id, hash, now));
    await tx.query(endSessions(user.id, null, now));
    const actor = { kind: 'USER', id: user.id, clientId: null } as const;
    const source = { ...origin, actor };
    const target = { type: 'User', id: user.id, label: user.email } as const;
    await recordOn(tx, { place: { userId: user.id }, source, now }, { action: 'password.reset', target });
  });
}

async function findActiveUser(db: Queryable, id: string): Promise<User | null> {
  const { rows } = await db.query<User>(selectUser(id));
  const user = rows[0];
  return user === undefined || user.deactivatedAt !== null ? null : user;
}

function badLink(): AppError {
  return new AppError(
    'NOT_FOUND',
    'This link is not good any more: it was used, it is older than an hour, or a newer one was sent.',
  );
}
