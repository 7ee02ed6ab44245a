/** Sends what waits in the outbox, and tries again what could not be handed over, for as long as it is worth it. */
import type { Pool } from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { unreachable } from '../../lib/errors.ts';
import { type Repeating, repeat } from '../../lib/repeat.ts';
import { type Mail, MailRefused, type MailTransport } from './mail.ts';
import { type ClaimedMail, claimMails, endMail, postponeMail } from './outbox.ts';

/** What became of a mail for good. */
export type MailOutcome = { readonly sent: true } | { readonly sent: false; readonly reason: string };

export type MailTemplate = {
  /** The mail as it is to be sent now; null when there is nothing (any more) to send. `attempt` counts from 1. */
  readonly compose: (data: unknown, attempt: number) => Promise<Mail | null>;
  /** Told once what became of it; may be told again if the process dies over it. */
  readonly settle?: (data: unknown, outcome: MailOutcome) => Promise<void>;
};

export type MailTemplates = Readonly<Record<string, MailTemplate>>;

export type MailerOptions = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly transport: MailTransport;
  readonly templates: MailTemplates;
  readonly clock: Clock;
  /** The operator learns here what could not be sent; no link and no address is in it. */
  readonly warn: (fields: object, message: string) => void;
};

export type Mailer = {
  /** Looks for mails at once. */
  readonly hurry: () => void;
  readonly stop: () => Promise<void>;
};

const POLL_MS = 2_000;
/** So many connections to the mail server at once. */
const BATCH = 5;
/** Longer than the slowest mail: compose, and the transport's whole time. */
const LEASE_MS = 300_000;

/** The delays before each further attempt, in minutes; after the last one the mail is given up. */
export const MAIL_RETRY_MINUTES = [1, 2, 5, 15, 30, 60, 120, 240, 480, 720, 1_440, 1_440] as const;

/** Starts to send. */
export function startMailer(options: MailerOptions): Mailer {
  const mailer: Repeating = repeat(
    async () => {
      while ((await sendDueMails(options)) === BATCH);
    },
    { intervalMs: POLL_MS, onError: (error) => options.warn({ error }, 'the outbox could not be read') },
  );
  return { hurry: mailer.hurry, stop: mailer.stop };
}

/** Sends one batch of what is due; answers how many there were. What fails in our own house is thrown at the end. */
export async function sendDueMails(options: MailerOptions): Promise<number> {
  const mails = await claimMails(options.pool, { limit: BATCH, leaseMs: LEASE_MS }, options.clock.now());
  const results = await Promise.allSettled(mails.map((mail) => sendOne(options, mail)));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return mails.length;
}

async function sendOne(options: MailerOptions, mail: ClaimedMail): Promise<void> {
  const { pool, clock, templates, warn } = options;
  const { id, template, attemptCount } = mail;
  const outcome = await attempt(options, mail);
  switch (outcome.kind) {
    case 'later':
      warn(
        { mail: id, template, attempt: attemptCount, reason: describe(outcome.error) },
        'a mail is tried again',
      );
      return postponeMail(pool, mail, new Date(clock.now().getTime() + outcome.delayMs));
    case 'failed':
      warn(
        { mail: id, template, attempt: attemptCount, reason: withoutAddresses(outcome.reason) },
        'a mail was given up',
      );
      await templates[template]?.settle?.(mail.data, { sent: false, reason: outcome.reason });
      return endMail(pool, mail);
    case 'sent':
      await templates[template]?.settle?.(mail.data, { sent: true });
      return endMail(pool, mail);
    case 'nothing':
      return endMail(pool, mail);
    default:
      return unreachable(outcome);
  }
}

type Attempt =
  | { readonly kind: 'sent' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'later'; readonly delayMs: number; readonly error: unknown };

async function attempt({ transport, templates, clock }: MailerOptions, mail: ClaimedMail): Promise<Attempt> {
  const template = templates[mail.template];
  // A newer process may have asked for it: one of those will send it.
  if (template === undefined) return later(mail, new Error('There is no such template here.'), clock.now());
  if (mail.expiresAt <= clock.now()) return { kind: 'failed', reason: 'It could not be sent in time.' };
  try {
    const composed = await template.compose(mail.data, mail.attemptCount);
    if (composed === null) return { kind: 'nothing' };
    // A mailbox that has seen the id before would hide the newer link.
    await transport.send(composed, `${mail.id}.${mail.attemptCount}`);
    return { kind: 'sent' };
  } catch (error) {
    if (error instanceof MailRefused) return { kind: 'failed', reason: error.message };
    return later(mail, error, clock.now());
  }
}

/** Another attempt, unless there were enough or none would be in time. */
function later(mail: ClaimedMail, error: unknown, now: Date): Attempt {
  const minutes = MAIL_RETRY_MINUTES[mail.attemptCount - 1];
  const reason = `The mail server could not be reached or did not take it, ${mail.attemptCount} times.`;
  if (minutes === undefined) return { kind: 'failed', reason };
  const delayMs = minutes * 60_000;
  if (now.getTime() + delayMs >= mail.expiresAt.getTime()) return { kind: 'failed', reason };
  return { kind: 'later', delayMs, error };
}

function describe(error: unknown): string {
  return withoutAddresses(error instanceof Error ? error.message : String(error));
}

/** Mail servers repeat whom they refuse; the log need not know. */
function withoutAddresses(text: string): string {
  return text.replaceAll(/[^\s<>@]+@[^\s<>@]+/g, '[address]');
}
