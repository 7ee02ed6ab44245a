/**
 * The authorization endpoint's decisions (RFC 6749 4.1): what a person of this role may allow this client, whether it was
 * allowed before, and what is left behind when it is allowed: a grant and its code.
 */
import type { Pool } from 'pg';
import type { Scope } from '../accounts/scope.ts';
import { holdsScope } from '../accounts/scope.ts';
import type { MemberRole } from '../accounts/statements.ts';
import { beginning } from '../audit/difference.ts';
import type { RequestOrigin } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/crypto.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import type { OpenRequest, SoundRequest } from './authorization-request.ts';
import { type Authorizer, insertAuthorization, selectAuthorizer } from './authorization-statements.ts';
import { GRANT_MS, randomToken } from './refresh-token.ts';
import { boundByRole } from './scope.ts';

/** How long a code is good for. */
export const CODE_MS = 300_000;

export type AuthorizeDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly newId: () => string;
};

/** What a person may decide about. */
export type Proposal = {
  readonly request: OpenRequest;
  readonly sound: SoundRequest;
  readonly authorizer: Authorizer & { readonly role: MemberRole };
  /** What is granted if the person allows it: asked for, approved, and within the role. Never empty. */
  readonly scopes: readonly Scope[];
  /** Those of them that the person did not allow before. */
  readonly newScopes: readonly Scope[];
  /** Whether it is granted without asking. */
  readonly isRemembered: boolean;
};

/** Why this person cannot allow anything. */
export type Unfit = {
  readonly unfit: 'no_member' | 'role_too_small';
  readonly request: OpenRequest;
  readonly authorizer: Authorizer;
};

/** The person who is signed in, as the client's organization knows it; undefined when deactivated. Errors: `UNAVAILABLE`. */
export async function findAuthorizer(
  pool: Pool,
  userId: string,
  { client }: OpenRequest,
): Promise<Authorizer | undefined> {
  try {
    const { rows } = await pool.query<Authorizer>(selectAuthorizer(userId, client));
    return rows[0];
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/** What the person may decide about, if anything. */
export function propose(request: OpenRequest, sound: SoundRequest, authorizer: Authorizer): Proposal | Unfit {
  const { role, consentedScopes } = authorizer;
  if (role === null) return { unfit: 'no_member', request, authorizer };
  const scopes = boundByRole(sound.scopes, role);
  if (scopes.length === 0) return { unfit: 'role_too_small', request, authorizer };
  const newScopes = scopes.filter((scope) => !holdsScope(consentedScopes, scope));
  const isRemembered = newScopes.length === 0 && !wantsConsent(sound) && isClientSure(request);
  return { request, sound, authorizer: { ...authorizer, role }, scopes, newScopes, isRemembered };
}

function wantsConsent({ prompt }: SoundRequest): boolean {
  return prompt.has('consent') || prompt.has('select_account');
}

/**
 * Whether what answers at the redirect URI can be nobody but the client. Any program of a device can take the place of
 * one without a secret whose URI is a loopback address or a scheme of its own, so its person is asked every time
 * (RFC 8252 8.6).
 */
function isClientSure({ client, destination }: OpenRequest): boolean {
  return client.type === 'CONFIDENTIAL' || destination.redirectUri.startsWith('https:');
}

/**
 * Grants what was proposed; answers the code. Undefined, without any effect: the client is not approved any more, the
 * person is no member any more, or the consent that was remembered is not there any more. Errors: `UNAVAILABLE`.
 */
export async function grant(
  deps: AuthorizeDeps,
  proposal: Proposal,
  origin: RequestOrigin,
): Promise<string | undefined> {
  if (proposal.isRemembered) return store(deps, deps.pool, proposal);
  return inTransaction(deps.pool, async (tx) => {
    const code = await store(deps, tx, proposal);
    if (code !== undefined) await recordConsent(deps, tx, proposal, origin);
    return code;
  });
}

async function store(
  { clock, newId }: AuthorizeDeps,
  db: Queryable,
  { request, sound, authorizer, scopes, isRemembered }: Proposal,
): Promise<string | undefined> {
  const now = clock.now();
  const code = randomToken();
  const statement = insertAuthorization(
    {
      organizationId: request.client.organizationId,
      clientRef: request.client.id,
      userId: authorizer.userId,
      scopes,
      rememberedScopes: isRemembered ? authorizer.consentedScopes : null,
      consentId: newId(),
      grantId: newId(),
      grantExpiresAt: new Date(now.getTime() + GRANT_MS),
      code: {
        id: newId(),
        hash: sha256(code),
        redirectUri: sound.sentRedirectUri,
        codeChallenge: sound.codeChallenge,
        expiresAt: new Date(now.getTime() + CODE_MS),
      },
    },
    now,
  );
  try {
    const { rowCount } = await db.query(statement);
    return rowCount === 1 ? code : undefined;
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

async function recordConsent(
  { clock }: AuthorizeDeps,
  tx: Queryable,
  { request: { client }, authorizer, scopes }: Proposal,
  origin: RequestOrigin,
): Promise<void> {
  await recordOn(
    tx,
    {
      place: { organizationId: client.organizationId },
      source: { ...origin, actor: { kind: 'USER', id: authorizer.userId, clientId: null } },
      now: clock.now(),
    },
    {
      action: 'oauth_consent.given',
      target: { type: 'OAuthClient', id: client.id, label: client.name },
      changes: beginning({ scopes }),
    },
  );
}
