/** The mail that invites: composed when it is sent, with a link made at that moment. */
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { writeLetter } from '../platform/mail/letter.ts';
import type { MailTemplate } from '../platform/mail/mailer.ts';
import { type OpenInvitation, selectOpenInvitation, updateMailOutcome } from './invitation-statements.ts';
import { issueToken } from './one-time-token.ts';
import type { MemberRole } from './statements.ts';

/** Of the rows that `optio.queue_invitation_mail` makes. */
export const INVITATION_TEMPLATE = 'invitation';

export type InvitationMailDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly publicUrl: string;
};

const DATA = z.object({ invitation_id: z.uuid() });

/** Composes the mail while the invitation is open, and keeps what became of it beside the invitation. */
export function invitationTemplate({ pool, clock, publicUrl }: InvitationMailDeps): MailTemplate {
  return {
    compose: async (data) => {
      const now = clock.now();
      const { rows } = await pool.query<OpenInvitation>(
        selectOpenInvitation(DATA.parse(data).invitation_id, now),
      );
      const invitation = rows[0];
      if (invitation === undefined) return null;
      const { id, expiresAt } = invitation;
      const token = await issueToken(pool, { purpose: 'INVITATION', subjectId: id }, { now, expiresAt });
      return compose(invitation, `${publicUrl}/invitation?token=${token}`);
    },
    settle: async (data, outcome) => {
      const { invitation_id: id } = DATA.parse(data);
      const error = outcome.sent ? null : outcome.reason;
      await pool.query(updateMailOutcome(id, outcome.sent ? clock.now() : null, error));
    },
  };
}

const ROLE_WORDS: Readonly<Record<MemberRole, string>> = {
  ADMIN: 'an admin',
  EDUCATOR: 'an educator',
  STUDENT: 'a student',
};

/** The name of the invited person is left out: it could be made to say anything, to anybody. */
function compose({ organizationName, email, role }: OpenInvitation, url: string) {
  const organization = oneLine(organizationName);
  return writeLetter({
    to: email,
    subject: `${organization} invites you to Optio Connect`,
    paragraphs: [`${organization} invites you to Optio Connect as ${ROLE_WORDS[role]}.`],
    link: { label: 'See the invitation', url },
    notes: [
      'The link is good for seven days, and once.',
      'If you do not know who this is from, leave this mail as it is.',
    ],
  });
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 100);
}
