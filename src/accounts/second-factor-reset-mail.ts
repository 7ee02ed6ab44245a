/** Tells somebody that the second factor was taken away: who did not ask for it has to know. */
import type { Pool } from 'pg';
import { z } from 'zod';
import { writeLetter } from '../platform/mail/letter.ts';
import type { MailTemplate } from '../platform/mail/mailer.ts';
import { selectUser, type User } from './statements.ts';

export const SECOND_FACTOR_RESET_TEMPLATE = 'second_factor_reset';

const DATA = z.object({ userId: z.uuid(), at: z.iso.datetime() });

/** Composes the mail; nothing for an account that is no longer active. */
export function secondFactorResetTemplate({
  pool,
  publicUrl,
}: {
  readonly pool: Pool;
  readonly publicUrl: string;
}): MailTemplate {
  return {
    compose: async (data) => {
      const { userId, at } = DATA.parse(data);
      const { rows } = await pool.query<User>(selectUser(userId));
      const user = rows[0];
      if (user === undefined || user.deactivatedAt !== null) return null;
      return writeLetter({
        to: user.email,
        subject: 'Your second factor at Optio Connect was reset',
        paragraphs: [
          `An admin took the second factor off your account on ${at.slice(0, 10)} at ${at.slice(11, 16)} UTC, and signed it out everywhere.`,
          'Sign in with your password, and set up a new one.',
        ],
        link: { label: 'Set up a second factor', url: `${publicUrl}/account/second-factor` },
        notes: ['If you did not ask for this, change your password now and tell your admin.'],
      });
    },
  };
}
