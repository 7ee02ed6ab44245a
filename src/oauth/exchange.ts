/** What the grants of people's tokens have in common: draft, exchange in one statement, then sign or refuse. */
import type { Pool, QueryConfig } from 'pg';
import type { Clock } from '../lib/clock.ts';
import type { AccessTokens, TokenResponse } from './access-token.ts';
import type { AuthenticatedClient } from './client.ts';
import { OAuthError } from './error.ts';
import type { Belief, Exchange, Issue } from './grant-statements.ts';
import { draftRefreshToken, GRACE_MS } from './refresh-token.ts';
import { containedScopes } from './scope.ts';

/** Somebody brought what was exchanged before, so all that was issued for it was ended. */
export type ReuseReport = {
  readonly what: 'code' | 'refresh_token';
  readonly organizationId: string;
  readonly clientId: string;
  readonly userId: string;
  readonly grantId: string;
};

export type ExchangeDeps = {
  readonly pool: Pool;
  readonly accessTokens: AccessTokens;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly onReuse: (report: ReuseReport) => void;
};

export type ExchangePlan = {
  readonly grantType: string;
  readonly what: ReuseReport['what'];
  /** Why it may have failed, for the client. */
  readonly refusal: string;
  readonly exchange: (issue: Issue, belief: Belief, heldScopes: readonly string[]) => QueryConfig;
  /** Ends the grant of what was exchanged before `graceBegan`. */
  readonly endReused: (times: { readonly now: Date; readonly graceBegan: Date }) => QueryConfig;
};

/** When the grace period that ends now began. */
export function graceBegan(now: Date): Date {
  return new Date(now.getTime() - GRACE_MS);
}

/**
 * Makes the exchange. Undefined, without any effect: the client is no longer what it was when it was read.
 * Errors: `invalid_grant`, after ending the grant of what was exchanged longer ago than the grace period.
 */
export async function exchangeForTokens(
  deps: ExchangeDeps,
  client: AuthenticatedClient,
  plan: ExchangePlan,
): Promise<TokenResponse | undefined> {
  const now = deps.clock.now();
  const access = deps.accessTokens.draft();
  const refresh = client.grantTypes.includes('refresh_token')
    ? draftRefreshToken(deps.newId(), now)
    : undefined;
  const issue = {
    accessTokenId: access.id,
    accessTokenExpiresAt: access.expiresAt,
    refreshToken: refresh?.row ?? null,
  };
  const belief = { grantType: plan.grantType, client, now };
  const { rows } = await deps.pool.query<Exchange>(
    plan.exchange(issue, belief, containedScopes(client.scopes)),
  );
  const [made] = rows;
  if (made === undefined || !made.isEntitled) return undefined;
  if (made.userId === null) throw await refuse(deps, client, plan);
  const response = await deps.accessTokens.sign(access, { client, userId: made.userId, scopes: made.scopes });
  return refresh === undefined ? response : { ...response, refresh_token: refresh.token };
}

async function refuse(
  { pool, clock, onReuse }: ExchangeDeps,
  client: AuthenticatedClient,
  { what, refusal, endReused }: ExchangePlan,
): Promise<OAuthError> {
  const now = clock.now();
  const { rows } = await pool.query<{ id: string; userId: string }>(
    endReused({ now, graceBegan: graceBegan(now) }),
  );
  const { organizationId, clientId } = client;
  for (const { id: grantId, userId } of rows) onReuse({ what, organizationId, clientId, userId, grantId });
  return new OAuthError('invalid_grant', refusal);
}
