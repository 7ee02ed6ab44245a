/** What the grants of people's tokens have in common: draft, exchange in one statement, then sign or refuse. */
import type { Pool, QueryConfig } from 'pg';
import type { RequestOrigin } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { inTransaction } from '../platform/database/pool.ts';
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
  /** Where the request comes from, for the audit log. */
  readonly origin: RequestOrigin;
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

/** Ends the grant of what was used before, if it was; that and its entry in the audit log are one transaction. */
async function refuse(
  { pool, clock, onReuse }: ExchangeDeps,
  client: AuthenticatedClient,
  { what, refusal, endReused, origin }: ExchangePlan,
): Promise<OAuthError> {
  const now = clock.now();
  const { organizationId, clientId } = client;
  const ended = await inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ id: string; userId: string }>(
      endReused({ now, graceBegan: graceBegan(now) }),
    );
    const source = { ...origin, actor: { kind: 'CLIENT', id: clientId } } as const;
    for (const { id } of rows) {
      const act = { action: 'oauth_grant.reuse_detected', target: { type: 'OAuthGrant', id } } as const;
      await recordOn(tx, { place: { organizationId }, source, now }, act);
    }
    return rows;
  });
  for (const { id: grantId, userId } of ended) onReuse({ what, organizationId, clientId, userId, grantId });
  return new OAuthError('invalid_grant', refusal);
}
