/**
 * GET /api/oauth/authorize (RFC 6749 3.1), which a person's browser is sent to, and the POST of the decision. Nothing of a
 * request is kept between the two: it stands in the URL, and the form is bound to it.
 */
import { type Context, Hono } from 'hono';
import type { PageGuard } from '../accounts/pages/guard.ts';
import { signInAgain, withReturnTo } from '../accounts/pages/return-to.ts';
import type { Session } from '../accounts/session.ts';
import { lacksSecondFactor } from '../accounts/session-viewer.ts';
import { AppError } from '../lib/errors.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { withErrorPages } from '../platform/pages/error-page.ts';
import type { FormTokens } from '../platform/pages/form-token.ts';
import { readOwnForm } from '../platform/pages/own-form.ts';
import { seeOther } from '../platform/pages/page.ts';
import { AuthorizationError } from './authorization-error.ts';
import { deadPage, unfitPage } from './authorization-page.ts';
import {
  checkRequest,
  type OpenRequest,
  openRequest,
  promptOf,
  type SoundRequest,
} from './authorization-request.ts';
import { backToClient } from './authorization-response.ts';
import type { Authorizer } from './authorization-statements.ts';
import { type AuthorizeDeps, findAuthorizer, grant, type Proposal, propose } from './authorize.ts';
import { consentPage } from './consent-page.ts';
import type { OAuthLimits } from './limits.ts';
import { AUTHORIZE_PATH } from './metadata.ts';
import { originOf } from './request-origin.ts';

export type AuthorizeRoutesDeps = AuthorizeDeps & {
  /** PUBLIC_URL, byte for byte. */
  readonly issuer: string;
  readonly guard: PageGuard;
  readonly tokens: FormTokens;
  readonly limits: Pick<OAuthLimits, 'perAddress' | 'countGrant'>;
};

type PageContext = Context<HttpEnv>;

/** The routes, to be mounted on the shell. What goes wrong is a page, or a redirect to the client. */
export function createAuthorizeRoutes(deps: AuthorizeRoutesDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(AUTHORIZE_PATH, deps.limits.perAddress);
  app.get(AUTHORIZE_PATH, (c) =>
    withProposal(deps, c, (proposal, session) => ask(deps, c, proposal, session)),
  );
  app.post(AUTHORIZE_PATH, (c) =>
    withProposal(deps, c, (proposal, session) => decide(deps, c, proposal, session)),
  );
  return withErrorPages(app);
}

type Proceed = (proposal: Proposal, session: Session) => Promise<Response>;

/** What both have before them: client and redirect URI first, then the person, then what is wrong with the rest. */
async function withProposal(deps: AuthorizeRoutesDeps, c: PageContext, proceed: Proceed): Promise<Response> {
  const request = await openRequest(deps, new URL(c.req.raw.url).search.slice(1));
  if ('fault' in request) return deadPage(request);
  try {
    const session = await findSession(deps, c, request);
    if (session instanceof Response) return session;
    const sound = checkRequest(request);
    const renewal = requireFreshSignIn(deps, request, sound, session);
    if (renewal !== undefined) return renewal;
    const authorizer = await findAuthorizer(deps.pool, session.userId, request);
    if (authorizer === undefined) return seeOther(withReturnTo('/login', pathOf(request)));
    const detour = requireSecondFactor(deps, request, authorizer, session);
    if (detour !== undefined) return detour;
    const proposal = propose(request, sound, authorizer);
    if (!('unfit' in proposal)) return await proceed(proposal, session);
    if (asksNothing(request)) throw new AuthorizationError('access_denied', 'The person may not allow this.');
    return await unfitPage(proposal, signInAgain(pathOf(request)));
  } catch (error) {
    if (!(error instanceof AuthorizationError)) throw error;
    return backToClient(request.destination, { error: error.code, error_description: error.message });
  }
}

/**
 * Nobody is sent to a client before it is known who that is, not even with an error (RFC 9700 4.11.2); but for the prompt
 * none, which asks for that.
 */
async function findSession(
  { guard }: AuthorizeRoutesDeps,
  c: PageContext,
  request: OpenRequest,
): Promise<Session | Response> {
  const { headers } = c.req.raw;
  if (!asksNothing(request)) {
    return guard.enter({ headers, method: 'GET', url: new URL(pathOf(request), c.req.raw.url).href });
  }
  const session = await guard.find({ headers });
  if (session === undefined) throw new AuthorizationError('login_required', 'Nobody is signed in.');
  return session;
}

/** The prompt login: the sign-in has to be younger than the request, which then carries its time. */
function requireFreshSignIn(
  { clock }: AuthorizeRoutesDeps,
  { query, parameters }: OpenRequest,
  { prompt }: SoundRequest,
  session: Session,
): Response | undefined {
  if (!prompt.has('login')) return undefined;
  const since = parameters.values.get(SIGNED_IN_SINCE);
  if (since !== undefined && session.createdAt.getTime() >= Number(since) - CLOCK_SKEW_MS) return undefined;
  const bare = query.split('&').filter((part) => !part.startsWith(`${SIGNED_IN_SINCE}=`));
  const renewed = [...bare, `${SIGNED_IN_SINCE}=${clock.now().getTime()}`].join('&');
  return seeOther(signInAgain(`${AUTHORIZE_PATH}?${renewed}`));
}

/** A parameter of our own: milliseconds since 1970. */
const SIGNED_IN_SINCE = 'signed_in_since';
/** Another process may have signed the person in. */
const CLOCK_SKEW_MS = 5_000;

/** The guard asks for the organization that the person acts for; the client may be of another one. */
function requireSecondFactor(
  { guard }: AuthorizeRoutesDeps,
  request: OpenRequest,
  { role }: Authorizer,
  session: Session,
): Response | undefined {
  const isLacking = lacksSecondFactor(session) || (role === 'ADMIN' && session.secondFactorAt === null);
  if (!guard.requiresSecondFactor || !isLacking) return undefined;
  if (asksNothing(request))
    throw new AuthorizationError('interaction_required', 'A second factor is missing.');
  return seeOther(withReturnTo('/account/second-factor', pathOf(request)));
}

async function ask(
  deps: AuthorizeRoutesDeps,
  c: PageContext,
  proposal: Proposal,
  session: Session,
): Promise<Response> {
  const { request } = proposal;
  if (proposal.isRemembered) {
    await deps.limits.countGrant(session.userId);
    const code = await grant(deps, proposal, originOf(c));
    if (code !== undefined) return backToClient(request.destination, { code });
  }
  if (asksNothing(request)) throw new AuthorizationError('consent_required', 'The person has to be asked.');
  const token = deps.tokens.issue(...bindingOf(proposal, session));
  const path = pathOf(request);
  return consentPage({ proposal, token, action: path, switchUrl: signInAgain(path) });
}

async function decide(
  deps: AuthorizeRoutesDeps,
  c: PageContext,
  proposal: Proposal,
  session: Session,
): Promise<Response> {
  const { destination } = proposal.request;
  const form = await readOwnForm(c.req.raw, {
    publicUrl: deps.issuer,
    tokens: deps.tokens,
    binding: bindingOf(proposal, session),
  });
  const decision = form.get('decision');
  if (decision === 'deny') throw new AuthorizationError('access_denied', 'The person did not allow it.');
  if (decision !== 'allow') {
    throw new AppError('BAD_REQUEST', 'The form says neither to allow nor to deny. Nothing was changed.');
  }
  await deps.limits.countGrant(session.userId);
  const code = await grant(deps, { ...proposal, isRemembered: false }, originOf(c));
  if (code !== undefined) return backToClient(destination, { code });
  throw new AppError('CONFLICT', 'The app or your membership was changed a moment ago. Nothing was allowed.');
}

/** Of this person in this browser, for this request, and for what it showed: if that changes, it has to be shown anew. */
function bindingOf({ request, scopes }: Proposal, { id }: Session): readonly string[] {
  return ['authorize', id, request.query, scopes.join(' ')];
}

/** The prompt none. */
function asksNothing({ parameters }: OpenRequest): boolean {
  return promptOf(parameters).has('none');
}

function pathOf({ query }: OpenRequest): string {
  return `${AUTHORIZE_PATH}?${query}`;
}
