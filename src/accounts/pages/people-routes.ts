/**
 * /forgot, /reset and /invitation. Opening a link uses nothing up, for mail scanners open every link; sending the form
 * does. What is in the link is what a form needs: nobody else has it, so forms are bound to their purpose alone.
 */
import type { Hono } from 'hono';
import type { RequestOrigin } from '../../audit/entry.ts';
import { sha256 } from '../../lib/crypto.ts';
import { AppError } from '../../lib/errors.ts';
import { addressKey, createAttemptLimit } from '../../platform/attempt-limit.ts';
import type { HttpEnv } from '../../platform/http/env.ts';
import type { FormTokens } from '../../platform/pages/form-token.ts';
import { readOwnForm } from '../../platform/pages/own-form.ts';
import { seeOther } from '../../platform/pages/page.ts';
import type { Acceptance, InvitationView, NewMember } from '../invitation-acceptance.ts';
import type { NewPassword } from '../password-reset.ts';
import type { MailAccess } from '../people-mail.ts';
import type { User } from '../statements.ts';
import { orShowErrors, type PageContext } from './env.ts';
import {
  badInvitationPage,
  badResetPage,
  forgotPage,
  invitationPage,
  linkSentPage,
  noMailPage,
  resetPage,
} from './people-page.ts';

/** What the links of mails lead to. */
export type LinkFeatures = {
  readonly mail: MailAccess;
  readonly requestPasswordReset: (request: {
    readonly email: string;
    readonly origin: RequestOrigin;
  }) => Promise<void>;
  readonly findPasswordReset: (token: string) => Promise<Pick<User, 'email' | 'name'> | null>;
  readonly resetPassword: (reset: NewPassword) => Promise<void>;
  readonly findInvitation: (token: string) => Promise<InvitationView | null>;
  readonly acceptInvitation: (acceptance: Acceptance) => Promise<NewMember>;
};

export type PeoplePagesDeps = {
  readonly publicUrl: string;
  readonly people: LinkFeatures;
  readonly tokens: FormTokens;
};

type Deps = PeoplePagesDeps & { readonly limits: ReturnType<typeof createLimits> };

const QUARTER_HOUR = 15 * 60;

/** Adds the routes. Each POST answers 303 when it has done what it was asked. */
export function addPeopleRoutes(app: Hono<HttpEnv>, peopleDeps: PeoplePagesDeps): void {
  const deps = { ...peopleDeps, limits: createLimits() };
  app.get('/forgot', (c) => showForgot(deps, c));
  app.post('/forgot', (c) => askForLink(deps, c));
  app.get('/reset', (c) => showReset(deps, c.req.query('token') ?? ''));
  app.post('/reset', (c) => reset(deps, c));
  app.get('/invitation', (c) => showInvitation(deps, c.req.query('token') ?? ''));
  app.post('/invitation', (c) => accept(deps, c));
}

/**
 * How often a link may be asked for: generous by address alone, for a school's pupils share one. Beyond that an account
 * gets one link in five minutes, wherever it is asked from.
 */
function createLimits() {
  return {
    perAddress: createAttemptLimit({ attempts: 100, perSeconds: QUARTER_HOUR }),
    perAccountAndAddress: createAttemptLimit({ attempts: 5, perSeconds: QUARTER_HOUR }),
  };
}

function showForgot({ people, tokens }: Deps, c: PageContext): Promise<Response> {
  if (!people.mail.canSend) return noMailPage();
  if (c.req.query('note') === 'sent') return linkSentPage();
  return forgotPage({ token: tokens.issue('forgot') });
}

async function askForLink(deps: Deps, c: PageContext): Promise<Response> {
  const { people, tokens } = deps;
  if (!people.mail.canSend) return noMailPage();
  const form = await readOwnForm(c.req.raw, { ...deps, binding: ['forgot'] });
  const email = form.get('email') ?? '';
  const token = tokens.issue('forgot');
  const act = async (): Promise<Response> => {
    await countRequest(deps, email, c.get('clientAddress'));
    await people.requestPasswordReset({ email, origin: originOf(c) });
    return seeOther('/forgot?note=sent');
  };
  try {
    return await orShowErrors(act, (errors) => forgotPage({ token, email, errors }));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'RATE_LIMITED') throw error;
    const wait = { message: error.message, seconds: Math.ceil(error.retryAfterSeconds ?? 1) };
    return forgotPage({ token, email, wait });
  }
}

async function countRequest({ limits }: Deps, email: string, address: string | null): Promise<void> {
  const place = addressKey(address);
  await limits.perAddress.count(place);
  const account = sha256(email.trim().toLowerCase()).toString('base64');
  await limits.perAccountAndAddress.count(`${account} ${place}`);
}

async function showReset({ people, tokens }: Deps, link: string): Promise<Response> {
  const user = await people.findPasswordReset(link);
  if (user === null) return badResetPage();
  return resetPage({ token: tokens.issue('reset'), link, email: user.email });
}

async function reset(deps: Deps, c: PageContext): Promise<Response> {
  const { people, tokens } = deps;
  const form = await readOwnForm(c.req.raw, { ...deps, binding: ['reset'] });
  const link = form.get('token') ?? '';
  const user = await people.findPasswordReset(link);
  if (user === null) return badResetPage();
  const act = async (): Promise<Response> => {
    await people.resetPassword({ token: link, password: form.get('password') ?? '', origin: originOf(c) });
    return seeOther('/login?note=password-reset');
  };
  const page = { token: tokens.issue('reset'), link, email: user.email };
  return orShowErrors(
    () => orBadLink(act, badResetPage),
    (errors) => resetPage({ ...page, errors }),
  );
}

async function showInvitation({ people, tokens }: Deps, link: string): Promise<Response> {
  const invitation = await people.findInvitation(link);
  if (invitation === null) return badInvitationPage();
  return invitationPage({ token: tokens.issue('invitation'), link, invitation });
}

async function accept(deps: Deps, c: PageContext): Promise<Response> {
  const { people, tokens } = deps;
  const form = await readOwnForm(c.req.raw, { ...deps, binding: ['invitation'] });
  const link = form.get('token') ?? '';
  const invitation = await people.findInvitation(link);
  if (invitation === null) return badInvitationPage();
  const typed = { name: form.get('name'), password: form.get('password') };
  const act = async (): Promise<Response> => {
    await people.acceptInvitation({ token: link, ...typed, origin: originOf(c) });
    return seeOther('/login?note=joined');
  };
  const name = typed.name === undefined ? {} : { name: typed.name };
  const page = { token: tokens.issue('invitation'), link, invitation, ...name };
  return orShowErrors(
    () => orBadLink(act, badInvitationPage),
    (errors) => invitationPage({ ...page, errors }),
  );
}

/** Somebody else may have used it up a moment ago. */
async function orBadLink(act: () => Promise<Response>, show: () => Promise<Response>): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'NOT_FOUND') throw error;
    return show();
  }
}

function originOf(c: PageContext): RequestOrigin {
  return {
    address: c.get('clientAddress'),
    userAgent: c.req.header('user-agent') ?? null,
    requestId: c.get('requestId'),
  };
}
