/** Who a request is made by, and what that allows. Features ask here; no door decides. */
import { type AuditSource, NO_ORIGIN, type RequestOrigin, sourceOf } from '../audit/entry.ts';
import { AppError } from '../lib/errors.ts';
import type { Tenancy, Tx, Unit } from '../platform/database/tenancy.ts';
import type { TenantIdentity, TenantRole } from '../platform/database/tenant-pool.ts';
import { holdsScope, type Scope } from './scope.ts';
import type { MemberRole } from './statements.ts';

/**
 * A person signed in (session), a client acting for a person, or a client acting for its organization; with the role NONE an
 * admin of the platform who is signed in and acts for no organization.
 */
export type Viewer = {
  /** The nil UUID with the role NONE. */
  readonly organizationId: string;
  readonly role: TenantRole;
  /** Null: a client acts for its organization. */
  readonly userId: string | null;
  /** The OAuth client_id; null: a session. */
  readonly clientId: string | null;
  /** What the token is good for; null: a session, which only the role bounds. */
  readonly scopes: readonly string[] | null;
  /** When the token or the session ends. */
  readonly expiresAt: Date;
  /** The jti of the token, to look whether it was revoked; null: a session. */
  readonly tokenId: string | null;
  /** Left out: a token. */
  readonly session?: ViewerSession;
};

/** What a viewer has by being a person who signed in, and no token gives. */
export type ViewerSession = { readonly id: string; readonly isPlatformAdmin: boolean };

/** What an operation asks of its viewer: one of the roles (a session's or a user token's) and the scope (a token's). */
export type Requirement = { readonly scope: Scope; readonly roles: readonly MemberRole[] };

/** What only a person who is signed in may, in one of the roles: no token is good for it. */
export type SessionRequirement = { readonly scope: null; readonly roles: Requirement['roles'] };

/** A viewer with its ways to the database. `read` may share one transaction within a request. */
export type RequestContext = {
  readonly viewer: Viewer;
  /** What the audit log names as the source of what the viewer does. */
  readonly source: AuditSource;
  readonly read: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly write: <T>(work: (unit: Unit) => Promise<T>) => Promise<T>;
};

/** The context of a request: every read and write is a transaction of the viewer's organization. */
export function requestContext(
  tenancy: Tenancy,
  viewer: Viewer,
  origin: RequestOrigin = NO_ORIGIN,
): RequestContext {
  const identity: TenantIdentity = viewer;
  return {
    viewer,
    source: sourceOf(viewer, origin),
    read: (work) => tenancy.read(identity, work),
    write: (work) => tenancy.write(identity, work),
  };
}

/** Refuses (`FORBIDDEN`, naming the scope or the role) unless the viewer's role and its token's scopes both allow it. */
export function authorize(viewer: Viewer, requirement: Requirement | SessionRequirement): void {
  if (viewer.scopes !== null) authorizeToken(viewer.scopes, requirement.scope);
  const { role } = viewer;
  if (role !== 'CLIENT' && (role === 'NONE' || !requirement.roles.includes(role))) {
    throw new AppError('FORBIDDEN', `This needs the role ${requirement.roles.join(' or ')}.`);
  }
}

function authorizeToken(granted: readonly string[], requiredScope: Scope | null): void {
  if (requiredScope === null) {
    throw new AppError('FORBIDDEN', 'This needs a person who is signed in; no access token is good for it.');
  }
  if (holdsScope(granted, requiredScope)) return;
  throw new AppError('FORBIDDEN', `This needs the scope ${requiredScope}.`, { requiredScope });
}

/** The person and the session of somebody who has signed in; refuses (`FORBIDDEN`) a token. */
export function requireSession({ userId, session }: Viewer): {
  readonly userId: string;
  readonly sessionId: string;
} {
  if (userId === null || session === undefined) {
    throw new AppError('FORBIDDEN', 'This is for somebody who has signed in, not for a token.');
  }
  return { userId, sessionId: session.id };
}

/** Whether `authorize` would pass. */
export function mayDo(viewer: Viewer, requirement: Requirement | SessionRequirement): boolean {
  try {
    authorize(viewer, requirement);
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

/** Refuses another organization than the viewer's as if it did not exist. */
export function requireOwnOrganization(viewer: Viewer, organizationId: string | undefined): void {
  if (organizationId !== undefined && organizationId !== viewer.organizationId) {
    throw new AppError('NOT_FOUND', `There is no organization ${JSON.stringify(organizationId)}.`);
  }
}
