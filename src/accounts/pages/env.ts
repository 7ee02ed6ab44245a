/** What the pages of accounts are made of, and what their handlers share. */
import type { Context } from 'hono';
import { AppError } from '../../lib/errors.ts';
import type { Cookie } from '../../platform/http/cookies.ts';
import type { HttpEnv } from '../../platform/http/env.ts';
import type { FormTokens } from '../../platform/pages/form-token.ts';
import { type Form, readOwnForm } from '../../platform/pages/own-form.ts';
import type { RecordAct } from '../act.ts';
import type { Credentials } from '../credentials.ts';
import type { SecondFactors } from '../second-factor.ts';
import type { BrowserInfo, Session, Sessions } from '../session.ts';
import type { SignIn } from '../sign-in.ts';
import type { DemoAccounts } from './demo-accounts.ts';
import type { PageGuard } from './guard.ts';

export type PageContext = Context<HttpEnv>;

export type PageDeps = {
  readonly publicUrl: string;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly credentials: Credentials;
  readonly secondFactors: SecondFactors;
  readonly guard: PageGuard;
  readonly tokens: FormTokens;
  readonly record: RecordAct;
  /** What anybody may sign in with; undefined where there is no demo. */
  readonly demo?: DemoAccounts | undefined;
  readonly cookies: {
    readonly session: Cookie;
    /** Tells one browser from another before anybody has signed in, for the form of /login. */
    readonly visit: Cookie;
    /** A sign-in that waits for its code. */
    readonly pending: Cookie;
  };
};

/** Where the request comes from. */
export function browserOf(c: PageContext): BrowserInfo {
  return { address: c.get('clientAddress'), userAgent: c.req.header('user-agent') ?? null };
}

/** The token for the forms of a session, all of them. */
export function sessionFormToken({ tokens }: Pick<PageDeps, 'tokens'>, session: Pick<Session, 'id'>): string {
  return tokens.issue('session', session.id);
}

/** Reads a form of the session's own pages. Errors: those of `readOwnForm`. */
export function readSessionForm(
  deps: Pick<PageDeps, 'tokens' | 'publicUrl'>,
  c: PageContext,
  session: Session,
): Promise<Form> {
  return readOwnForm(c.req.raw, { ...deps, binding: ['session', session.id] });
}

/** What is wrong with the fields of a form, by the name of the field. */
export type FieldErrors = Readonly<Record<string, string>>;

/** Runs `act`; when it refuses what was typed, `show` puts the reasons beside the fields. Other errors pass. */
export async function orShowErrors(
  act: () => Promise<Response>,
  show: (errors: FieldErrors) => Promise<Response>,
): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VALIDATION') throw error;
    return show(Object.fromEntries(error.faults.map(({ path, message }) => [String(path[0]), message])));
  }
}
