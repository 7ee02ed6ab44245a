/** What people do by the links in their mails, put together from its parts. */
import type { Hono } from 'hono';
import type { MasterKeys } from '../lib/crypto.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { createFormTokens } from '../platform/pages/form-token.ts';
import { acceptInvitation, findInvitationByToken, type InvitationDeps } from './invitation-acceptance.ts';
import type { LinkFeatures } from './pages/people-routes.ts';
import { createPeoplePages } from './pages/routes.ts';
import {
  findPasswordReset,
  type PasswordResetDeps,
  requestPasswordReset,
  resetPassword,
} from './password-reset.ts';
import { type ResetSecondFactor, resetSecondFactor } from './second-factor-reset.ts';

export type PeopleDeps = InvitationDeps &
  PasswordResetDeps & {
    /** The forms of the pages are known by them. */
    readonly keys: MasterKeys;
  };

export type People = {
  /** /forgot, /reset, /invitation. */
  readonly pages: Hono<HttpEnv>;
  readonly resetSecondFactor: ResetSecondFactor;
};

/** Composes the features. Nothing is read or written before the first request. */
export function createPeople(deps: PeopleDeps): People {
  const { publicUrl, mail, keys } = deps;
  const features: LinkFeatures = {
    mail,
    requestPasswordReset: (request) => requestPasswordReset(deps, request),
    findPasswordReset: (token) => findPasswordReset(deps, token),
    resetPassword: (reset) => resetPassword(deps, reset),
    findInvitation: (token) => findInvitationByToken(deps, token),
    acceptInvitation: (acceptance) => acceptInvitation(deps, acceptance),
  };
  return {
    pages: createPeoplePages({ publicUrl, tokens: createFormTokens(keys), people: features }),
    resetSecondFactor: resetSecondFactor(deps),
  };
}
