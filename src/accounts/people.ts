/** Everything about people that goes by mail, on one way out. */
import type { Pool } from 'pg';
import type { RequestOrigin } from '../audit/entry.ts';
import type { Clock } from '../lib/clock.ts';
import type { MailTransport } from '../platform/mail/mail.ts';
import { type Mailer, startMailer } from '../platform/mail/mailer.ts';
import {
  type Acceptance,
  acceptInvitation,
  findInvitationByToken,
  type InvitationDeps,
  type InvitationView,
  type NewMember,
} from './invitation-acceptance.ts';
import { INVITATION_TEMPLATE, invitationTemplate } from './invitation-mail.ts';
import type { NewPassword, PasswordResetDeps } from './password-reset.ts';
import {
  findPasswordReset,
  PASSWORD_RESET_TEMPLATE,
  passwordResetTemplate,
  requestPasswordReset,
  resetPassword,
} from './password-reset.ts';
import { cleanUpPeople } from './people-clean-up.ts';
import type { MailAccess } from './people-mail.ts';
import type { User } from './statements.ts';

export type PeopleOptions = Pick<InvitationDeps, 'onMemberJoined'> &
  Pick<PasswordResetDeps, 'endTokens'> & {
    /** Logs in as a member of the role optio_auth. */
    readonly pool: Pool;
    readonly clock: Clock;
    readonly publicUrl: string;
    /** Undefined: mail is not configured, and features that need it say so. */
    readonly transport: MailTransport | undefined;
    /** Whether this process sends what waits; it is one of the processes that do. */
    readonly sends: boolean;
    readonly warn: (fields: object, message: string) => void;
  };

export type People = {
  readonly mail: MailAccess;
  readonly requestPasswordReset: (request: {
    readonly email: string;
    readonly origin: RequestOrigin;
  }) => Promise<void>;
  readonly findPasswordReset: (token: string) => Promise<Pick<User, 'email'> | null>;
  readonly resetPassword: (reset: NewPassword) => Promise<void>;
  readonly findInvitation: (token: string) => Promise<InvitationView | null>;
  readonly acceptInvitation: (acceptance: Acceptance) => Promise<NewMember>;
  /** For a scheduled job. */
  readonly cleanUp: () => Promise<void>;
  /** Finishes the mails that are being sent. */
  readonly stop: () => Promise<void>;
};

/** Opens the features and, in a process that sends, begins to send. */
export function startPeople(options: PeopleOptions): People {
  const mailer = openMailer(options);
  const mail = { canSend: options.transport !== undefined, hurry: () => mailer?.hurry() };
  const deps = { ...options, mail };
  return {
    mail,
    requestPasswordReset: (request) => requestPasswordReset(deps, request),
    findPasswordReset: (token) => findPasswordReset(deps, token),
    resetPassword: (reset) => resetPassword(deps, reset),
    findInvitation: (token) => findInvitationByToken(deps, token),
    acceptInvitation: (acceptance) => acceptInvitation(deps, acceptance),
    cleanUp: () => cleanUpPeople(deps),
    stop: async () => mailer?.stop(),
  };
}

function openMailer(options: PeopleOptions): Mailer | undefined {
  const { transport, sends, pool, clock, warn } = options;
  if (transport === undefined || !sends) return undefined;
  const templates = {
    [INVITATION_TEMPLATE]: invitationTemplate(options),
    [PASSWORD_RESET_TEMPLATE]: passwordResetTemplate(options),
  };
  return startMailer({ pool, transport, templates, clock, warn });
}
