/** Sends the mails to people, in a process that sends. */
import type { MailTransport } from '../platform/mail/mail.ts';
import { startMailer } from '../platform/mail/mailer.ts';
import { INVITATION_TEMPLATE, type InvitationMailDeps, invitationTemplate } from './invitation-mail.ts';
import { PASSWORD_RESET_TEMPLATE, passwordResetTemplate } from './password-reset.ts';
import type { MailAccess } from './people-mail.ts';
import { SECOND_FACTOR_RESET_TEMPLATE, secondFactorResetTemplate } from './second-factor-reset-mail.ts';

export type PeopleMailerOptions = InvitationMailDeps & {
  /** Undefined: mail is not configured, and features that need it say so. */
  readonly transport: MailTransport | undefined;
  /** Whether this process sends what waits; it is one of the processes that do. */
  readonly sends: boolean;
  readonly warn: (fields: object, message: string) => void;
};

export type PeopleMailer = {
  readonly mail: MailAccess;
  /** Finishes the mails that are being sent. */
  readonly stop: () => Promise<void>;
};

/** Begins to send, if this process does. */
export function startPeopleMailer(options: PeopleMailerOptions): PeopleMailer {
  const { transport, sends } = options;
  const mailer = transport === undefined || !sends ? undefined : openMailer({ ...options, transport });
  return {
    mail: { canSend: transport !== undefined, hurry: () => mailer?.hurry() },
    stop: async () => mailer?.stop(),
  };
}

function openMailer(options: PeopleMailerOptions & { readonly transport: MailTransport }) {
  const templates = {
    [INVITATION_TEMPLATE]: invitationTemplate(options),
    [PASSWORD_RESET_TEMPLATE]: passwordResetTemplate(options),
    [SECOND_FACTOR_RESET_TEMPLATE]: secondFactorResetTemplate(options),
  };
  return startMailer({ ...options, templates });
}
