/** Everything about people that goes by mail, on one way out. */
import type { Hono } from 'hono';
import type { MasterKeys } from '../lib/crypto.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import type { MailTransport } from '../platform/mail/mail.ts';
import { type Mailer, startMailer } from '../platform/mail/mailer.ts';
import { createFormTokens } from '../platform/pages/form-token.ts';
import { acceptInvitation, findInvitationByToken, type InvitationDeps } from './invitation-acceptance.ts';
import { INVITATION_TEMPLATE, invitationTemplate } from './invitation-mail.ts';
import type { LinkFeatures } from './pages/people-routes.ts';
import { createPeoplePages } from './pages/routes.ts';
import {
  findPasswordReset,
  PASSWORD_RESET_TEMPLATE,
  type PasswordResetDeps,
  passwordResetTemplate,
  requestPasswordReset,
  resetPassword,
} from './password-reset.ts';
import { cleanUpPeople } from './people-clean-up.ts';
import type { MailAccess } from './people-mail.ts';
import { type ResetSecondFactor, resetSecondFactor } from './second-factor-reset.ts';
import { SECOND_FACTOR_RESET_TEMPLATE, secondFactorResetTemplate } from './second-factor-reset-mail.ts';

export type PeopleOptions = InvitationDeps &
  Omit<PasswordResetDeps, 'mail'> & {
    /** The forms of the pages are known by them. */
    readonly keys: MasterKeys;
    /** Undefined: mail is not configured, and features that need it say so. */
    readonly transport: MailTransport | undefined;
    /** Whether this process sends what waits; it is one of the processes that do. */
    readonly sends: boolean;
    readonly warn: (fields: object, message: string) => void;
  };

export type People = {
  /** /forgot, /reset, /invitation. */
  readonly pages: Hono<HttpEnv>;
  readonly mail: MailAccess;
  readonly resetSecondFactor: ResetSecondFactor;
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
  const { publicUrl } = options;
  const features: LinkFeatures = {
    mail,
    requestPasswordReset: (request) => requestPasswordReset(deps, request),
    findPasswordReset: (token) => findPasswordReset(deps, token),
    resetPassword: (reset) => resetPassword(deps, reset),
    findInvitation: (token) => findInvitationByToken(deps, token),
    acceptInvitation: (acceptance) => acceptInvitation(deps, acceptance),
  };
  return {
    pages: createPeoplePages({ publicUrl, tokens: createFormTokens(options.keys), people: features }),
    mail,
    resetSecondFactor: resetSecondFactor(deps),
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
    [SECOND_FACTOR_RESET_TEMPLATE]: secondFactorResetTemplate(options),
  };
  return startMailer({ pool, transport, templates, clock, warn });
}
