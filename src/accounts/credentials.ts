/** What a person changes about the own sign-in, in a session: the password and the second factor. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { validationError } from '../lib/errors.ts';
import type { Gate } from '../lib/gate.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import type { AccountAction, RecordAct } from './act.ts';
import { findPasswordHash, requireGoodPassword, setPassword } from './password.ts';
import { checkPassword } from './password-check.ts';
import type { SecondFactors } from './second-factor.ts';
import type { BrowserInfo, Session, Sessions } from './session.ts';
import type { SignInLimits } from './sign-in-limits.ts';

export type CredentialsDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly secondFactors: SecondFactors;
  readonly limits: SignInLimits;
  readonly gate: Gate;
  readonly record: RecordAct;
};

/** Whose credentials, and from where they are changed. */
export type Owner = { readonly session: Session; readonly browser: BrowserInfo };

/** What was typed to prove once more who it is. */
export type Confirmation = { readonly password: string; readonly code: string };

/** Errors of each: `VALIDATION` (paths `current_password`, `new_password`, `password`, `code`); `RATE_LIMITED`. */
export type Credentials = {
  /**
   * Ends every session of the user and answers the token of a new one; undefined when the user was deactivated or
   * the password changed once more meanwhile.
   */
  readonly changePassword: (
    owner: Owner,
    passwords: { readonly current: string; readonly next: string },
  ) => Promise<string | undefined>;
  /** Makes an offered secret the second factor. The user's other sessions end; this one gets a new token. */
  readonly enableSecondFactor: (
    owner: Owner,
    enrolment: Confirmation & { readonly sealed: string },
  ) => Promise<{ readonly token: string; readonly recoveryCodes: readonly string[] }>;
  readonly renewRecoveryCodes: (owner: Owner, confirmation: Confirmation) => Promise<readonly string[]>;
  /** The user's other sessions end; this one gets a new token, which is answered. */
  readonly disableSecondFactor: (owner: Owner, confirmation: Confirmation) => Promise<string>;
};

/** The credentials of people in sessions. */
export function createCredentials(deps: CredentialsDeps): Credentials {
  return {
    changePassword: (owner, passwords) => changePassword(deps, owner, passwords),
    enableSecondFactor: (owner, enrolment) => enableSecondFactor(deps, owner, enrolment),
    renewRecoveryCodes: async (owner, confirmation) => {
      await confirm(deps, owner, confirmation);
      const codes = await deps.secondFactors.renewRecoveryCodes(owner.session.userId);
      await recordAct(deps, owner, 'second_factor.recovery_codes_renewed');
      return codes;
    },
    disableSecondFactor: async (owner, confirmation) => {
      await confirm(deps, owner, confirmation);
      await deps.secondFactors.disable(owner.session.userId);
      await deps.sessions.endOthers(owner.session.userId, owner.session.id);
      const token = await deps.sessions.setSecondFactor(owner.session, false);
      await recordAct(deps, owner, 'second_factor.disabled');
      return token;
    },
  };
}

async function changePassword(
  deps: CredentialsDeps,
  owner: Owner,
  { current, next }: { readonly current: string; readonly next: string },
): Promise<string | undefined> {
  const { session, browser } = owner;
  const user = { id: session.userId, email: session.email, name: session.name };
  await requirePassword(deps, session, { password: current, field: 'current_password' });
  if (current === next) throw fault('new_password', 'Choose another password than the present one.');
  requireGoodPassword(next, user, 'new_password');
  const { pool, clock } = deps;
  await deps.gate(() =>
    inTransaction(pool, async (tx) => {
      await setPassword(tx, user, next, clock.now());
      await recordAct(deps, owner, 'password.changed', tx);
    }),
  );
  const opened = await deps.sessions.open({
    userId: user.id,
    passwordHash: (await findPasswordHash(pool, user.id)) ?? '',
    hasPassedSecondFactor: session.secondFactorAt !== null,
    browser,
  });
  return opened?.token;
}

async function enableSecondFactor(
  deps: CredentialsDeps,
  owner: Owner,
  { password, code, sealed }: Confirmation & { readonly sealed: string },
): Promise<{ readonly token: string; readonly recoveryCodes: readonly string[] }> {
  const { session } = owner;
  await requirePassword(deps, session, { password, field: 'password' });
  const recoveryCodes = await deps.secondFactors.enable(session.userId, sealed, code);
  if (recoveryCodes === undefined) throw wrongCode();
  await deps.sessions.endOthers(session.userId, session.id);
  const token = await deps.sessions.setSecondFactor(session, true);
  await recordAct(deps, owner, 'second_factor.enabled');
  return { token, recoveryCodes };
}

/** Asks for both factors once more: a session that was left open is not enough to weaken what protects the account. */
async function confirm(
  deps: CredentialsDeps,
  { session }: Owner,
  { password, code }: Confirmation,
): Promise<void> {
  await requirePassword(deps, session, { password, field: 'password' });
  if ((await deps.secondFactors.take(session.userId, code)) === undefined) throw wrongCode();
}

async function requirePassword(
  { pool, gate, limits }: CredentialsDeps,
  { userId }: Session,
  { password, field }: { readonly password: string; readonly field: string },
): Promise<void> {
  await limits.confirmation.count(userId);
  const user = { id: userId, deactivatedAt: null };
  const hash = await gate(() => checkPassword(pool, user, password));
  if (hash === undefined) throw fault(field, 'This is not your present password.');
}

function wrongCode() {
  return fault('code', 'This code is not right, or was used before. Type the one that your app shows now.');
}

function fault(path: string, message: string) {
  return validationError([{ path: [path], message }]);
}

async function recordAct(
  { record }: CredentialsDeps,
  { session, browser }: Owner,
  action: AccountAction,
  tx?: Queryable,
): Promise<void> {
  const { userId, organizationId, id: sessionId } = session;
  await record({ action, userId, organizationId, sessionId, address: browser.address }, tx);
}
