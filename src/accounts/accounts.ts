/** Accounts, put together from their parts, as the composition root uses them. */
import type { Hono } from 'hono';
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import type { Gate } from '../lib/gate.ts';
import { createCookie } from '../platform/http/cookies.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { createFormTokens } from '../platform/pages/form-token.ts';
import type { RecordAct } from './act.ts';
import { createCredentials } from './credentials.ts';
import { createOwnSessions, type OwnSessions } from './own-session.ts';
import type { DemoAccounts } from './pages/demo-accounts.ts';
import { createPageGuard, type PageGuard } from './pages/guard.ts';
import { createAccountPages } from './pages/routes.ts';
import { createPendingSignIns } from './pending-sign-in.ts';
import { createSecondFactors } from './second-factor.ts';
import { createSessions } from './session.ts';
import { createSessionViewers, type SessionViewers } from './session-viewer.ts';
import { createSignIn } from './sign-in.ts';
import { createSignInLimits } from './sign-in-limits.ts';

export type AccountsDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly keys: MasterKeys;
  /** PUBLIC_URL. */
  readonly publicUrl: string;
  /** Other origins whose pages may use the API. */
  readonly corsOrigins: readonly string[];
  /** Whether admins have to have a second factor. */
  readonly requireSecondFactor: boolean;
  readonly record: RecordAct;
  /** What hashes passwords goes through it: `PASSWORD_GATE`. */
  readonly gate: Gate;
  /** What anybody may sign in with; undefined where there is no demo. */
  readonly demo?: DemoAccounts | undefined;
};

export type Accounts = {
  /** /login, /logout, /account. */
  readonly pages: Hono<HttpEnv>;
  /** For pages of other features that are for somebody who has signed in. */
  readonly guard: PageGuard;
  readonly viewers: SessionViewers;
  readonly ownSessions: OwnSessions;
};

/** Composes accounts. Nothing is read or written before the first request. */
export function createAccounts(deps: AccountsDeps): Accounts {
  const { publicUrl, requireSecondFactor } = deps;
  const https = publicUrl.startsWith('https:');
  const sessions = createSessions(deps);
  const secondFactors = createSecondFactors(deps);
  const limits = createSignInLimits();
  const parts = { ...deps, sessions, secondFactors, limits };
  const cookies = {
    session: createCookie('optio_session', { https }),
    visit: createCookie('optio_visit', { https }),
    pending: createCookie('optio_sign_in', { https }),
  };
  const guard = createPageGuard({ sessions, cookie: cookies.session, requireSecondFactor });
  return {
    pages: createAccountPages({
      ...parts,
      guard,
      cookies,
      tokens: createFormTokens(deps.keys),
      signIn: createSignIn({ ...parts, pending: createPendingSignIns(deps) }),
      credentials: createCredentials(parts),
    }),
    guard,
    viewers: createSessionViewers({ ...deps, sessions, cookie: cookies.session }),
    ownSessions: createOwnSessions(parts),
  };
}
