/**
 * The outbox: what is to be mailed waits in a table, stored in the transaction that asks for it, so that a mail is lost
 * by no crash and holds up no request. A row says what to send, not the mail itself: the mail, with a link that has
 * just been made, exists only while it is sent.
 */
import type { QueryConfig } from 'pg';
import type { Queryable } from '../database/pool.ts';

/** Asks for a mail within the caller's transaction. `db` logs in as a member of the role optio_auth. */
export type MailRequest = {
  readonly id: string;
  /** While a mail of this key waits, it is not asked for a second time. */
  readonly key: string;
  readonly template: string;
  /** What the template needs to compose the mail. Nothing secret. */
  readonly data: Readonly<Record<string, unknown>>;
  /** It is not worth sending from then on. */
  readonly expiresAt: Date;
};

export type ClaimedMail = {
  readonly id: string;
  readonly template: string;
  readonly data: unknown;
  readonly expiresAt: Date;
  /** This one included. */
  readonly attemptCount: number;
};

/** Stores the request; a mailer finds it within seconds after the commit. */
export async function queueMail(db: Queryable, mail: MailRequest, now: Date): Promise<void> {
  await db.query(insertMail(mail, now));
}

/**
 * Takes mails that are due. Nobody else takes them within the lease; a process that dies over one leaves it to the
 * next. One that has expired is taken, too, so that it can be given up in words.
 */
export async function claimMails(
  db: Queryable,
  { limit, leaseMs }: { readonly limit: number; readonly leaseMs: number },
  now: Date,
): Promise<readonly ClaimedMail[]> {
  const leasedUntil = new Date(now.getTime() + leaseMs);
  const { rows } = await db.query<ClaimedMail>(updateToClaim(limit, leasedUntil, now));
  return rows;
}

/** Takes a mail out, sent or given up; whoever has lost its lease takes out nothing. */
export async function endMail(db: Queryable, mail: ClaimedMail): Promise<void> {
  await db.query(deleteMail(mail));
}

/** Lets it be taken again at that time. */
export async function postponeMail(db: Queryable, mail: ClaimedMail, dueAt: Date): Promise<void> {
  await db.query(updateToPostpone(mail, dueAt));
}

export type OutboxState = {
  /** Mails that wait to be sent, or to be tried again. */
  readonly waiting: number;
  /** For how long the oldest of them has been there. */
  readonly oldestSeconds: number;
};

/** What waits. The table holds nothing else, so counting it is cheap unless something is wrong. */
export async function readOutboxState(db: Queryable, now: Date): Promise<OutboxState> {
  const { rows } = await db.query<{ waiting: number; oldest: Date | null }>(
    'SELECT count(*)::int AS waiting, min(created_at) AS oldest FROM outgoing_mails',
  );
  const { waiting, oldest } = rows[0] ?? { waiting: 0, oldest: null };
  return { waiting, oldestSeconds: oldest === null ? 0 : (now.getTime() - oldest.getTime()) / 1_000 };
}

function insertMail({ id, key, template, data, expiresAt }: MailRequest, now: Date): QueryConfig {
  return {
    text: `INSERT INTO outgoing_mails (id, key, template, data, created_at, due_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (key) DO NOTHING`,
    values: [id, key, template, JSON.stringify(data), now, expiresAt],
  };
}

/** Index scan on due_at; the table holds what waits, and no more. */
function updateToClaim(limit: number, leasedUntil: Date, now: Date): QueryConfig {
  return {
    name: 'claim-mails',
    text: `UPDATE outgoing_mails SET attempt_count = attempt_count + 1, due_at = $2
           WHERE id = ANY (ARRAY(
             SELECT id FROM outgoing_mails WHERE due_at <= $3 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED))
           RETURNING id, template, data, expires_at AS "expiresAt", attempt_count AS "attemptCount"`,
    values: [limit, leasedUntil, now],
  };
}

function deleteMail({ id, attemptCount }: ClaimedMail): QueryConfig {
  return {
    text: 'DELETE FROM outgoing_mails WHERE id = $1 AND attempt_count = $2',
    values: [id, attemptCount],
  };
}

function updateToPostpone({ id, attemptCount }: ClaimedMail, dueAt: Date): QueryConfig {
  return {
    text: 'UPDATE outgoing_mails SET due_at = $3 WHERE id = $1 AND attempt_count = $2',
    values: [id, attemptCount, dueAt],
  };
}
