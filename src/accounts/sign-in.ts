/**
 * Signing in: a password, then a code where there is a second factor. Whatever is wrong, the answer and its time are the
 * same, so that nobody learns which accounts there are.
 */
import type { Pool } from 'pg';
import type { Gate } from '../lib/gate.ts';
import type { RecordAct } from './act.ts';
import { findPasswordHash } from './password.ts';
import { checkPassword } from './password-check.ts';
import { fingerprint, type PendingSignIns } from './pending-sign-in.ts';
import type { SecondFactors } from './second-factor.ts';
import type { BrowserInfo, Sessions } from './session.ts';
import type { SignInLimits } from './sign-in-limits.ts';
import type { User } from './statements.ts';
import { findUserByEmail, normalizeEmail } from './user.ts';

export type SignInDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly sessions: Sessions;
  readonly secondFactors: SecondFactors;
  readonly pending: PendingSignIns;
  readonly limits: SignInLimits;
  /** Everything that hashes passwords goes through it. */
  readonly gate: Gate;
  readonly record: RecordAct;
};

export type SignInResult =
  /** Unknown address, wrong password, deactivated, wrong code: which, is not said. */
  | { readonly kind: 'refused' }
  /** The password was right; `pending` goes into a cookie. */
  | { readonly kind: 'needs-code'; readonly pending: string }
  /** The session's token goes into a cookie. */
  | { readonly kind: 'signed-in'; readonly token: string };

export type SignIn = {
  /** Errors: `RATE_LIMITED`; `UNAVAILABLE` when too many sign in at once. */
  readonly byPassword: (attempt: PasswordAttempt) => Promise<SignInResult>;
  /** The second step; null: the pending sign-in is over, or its password has changed. Errors: `RATE_LIMITED`. */
  readonly byCode: (attempt: CodeAttempt) => Promise<SignInResult | null>;
};

export type PasswordAttempt = {
  readonly email: string;
  readonly password: string;
  readonly browser: BrowserInfo;
};
export type CodeAttempt = {
  readonly pending: string;
  readonly code: string;
  readonly browser: BrowserInfo;
};

const REFUSED = { kind: 'refused' } as const;

/** Sign-in over the parts of accounts. */
export function createSignIn(deps: SignInDeps): SignIn {
  return {
    byPassword: async (attempt) => {
      const limit = deps.limits.password(attempt.email.trim().toLowerCase(), attempt.browser.address);
      // Looked at before the gate, where the refused would wait; counted behind it, so that a full gate remembers nobody.
      await limit.check();
      const checked = await deps.gate(async () => {
        await limit.count();
        return findByPassword(deps.pool, attempt);
      });
      if (checked.passwordHash === undefined || checked.user === null) {
        await recordRefusal(deps, checked.user, attempt.browser);
        return REFUSED;
      }
      await limit.succeeded();
      return afterPassword(deps, checked.user, { passwordHash: checked.passwordHash, ...attempt });
    },
    byCode: (attempt) => byCode(deps, attempt),
  };
}

async function findByPassword(pool: Pool, { email, password }: PasswordAttempt) {
  const user = await findByAnyEmail(pool, email);
  return { user, passwordHash: await checkPassword(pool, user, password) };
}

/** What is no address is nobody's. */
async function findByAnyEmail(pool: Pool, email: string): Promise<User | null> {
  const address = ((): string | undefined => {
    try {
      return normalizeEmail(email);
    } catch {
      return undefined;
    }
  })();
  return address === undefined ? null : findUserByEmail(pool, address);
}

async function afterPassword(
  deps: SignInDeps,
  user: User,
  { passwordHash, browser }: { readonly passwordHash: string; readonly browser: BrowserInfo },
): Promise<SignInResult> {
  const secondFactor = await deps.secondFactors.find(user.id);
  if (secondFactor !== null) {
    return { kind: 'needs-code', pending: deps.pending.create(user.id, passwordHash) };
  }
  return open(deps, { userId: user.id, passwordHash, hasPassedSecondFactor: false, browser });
}

async function byCode(deps: SignInDeps, attempt: CodeAttempt): Promise<SignInResult | null> {
  const pending = deps.pending.open(attempt.pending);
  if (pending === undefined) return null;
  const { userId } = pending;
  const passwordHash = await findPasswordHash(deps.pool, userId);
  if (passwordHash === null || fingerprint(passwordHash) !== pending.password) return null;
  await deps.limits.codePerSignIn.count(pending.id);
  await deps.limits.codePerAccount.count(userId);
  const taken = await deps.secondFactors.take(userId, attempt.code);
  if (taken === undefined) {
    await recordRefusal(deps, { id: userId }, attempt.browser);
    return REFUSED;
  }
  await deps.limits.codePerAccount.forget(userId);
  if (taken === 'recovery') {
    const { address } = attempt.browser;
    await deps.record({
      action: 'second_factor.recovery_code_used',
      userId,
      organizationId: null,
      sessionId: null,
      address,
    });
  }
  return open(deps, { userId, passwordHash, hasPassedSecondFactor: true, browser: attempt.browser });
}

async function open(
  { sessions, record }: SignInDeps,
  session: Parameters<Sessions['open']>[0],
): Promise<SignInResult> {
  const opened = await sessions.open(session, (tx, { id, organizationId }) =>
    record(
      {
        action: 'session.started',
        userId: session.userId,
        organizationId,
        sessionId: id,
        address: session.browser.address,
        details: { secondFactor: session.hasPassedSecondFactor },
      },
      tx,
    ),
  );
  if (opened === undefined) return REFUSED;
  return { kind: 'signed-in', token: opened.token };
}

async function recordRefusal(
  { record }: SignInDeps,
  user: { readonly id: string } | null,
  { address }: BrowserInfo,
): Promise<void> {
  const userId = user?.id ?? null;
  await record({ action: 'session.refused', userId, organizationId: null, sessionId: null, address });
}
