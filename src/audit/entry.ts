/** What an entry of the audit log says: who did what to what, from where, and what it changed. */
import type { Viewer } from '../accounts/viewer.ts';
import type { AuditAction } from './action.ts';

/** Whoever did it. `clientId`: the client that acted for the user; null: the user did it in person. */
export type Actor =
  | { readonly kind: 'USER'; readonly id: string; readonly clientId: string | null }
  | { readonly kind: 'CLIENT'; readonly id: string }
  /** Somebody who did not prove to be anybody. */
  | { readonly kind: 'ANONYMOUS' }
  /** Who starts the server, by its settings. */
  | { readonly kind: 'OPERATOR' }
  /** The server by itself. */
  | { readonly kind: 'SYSTEM' };

/** Where a request comes from; null: nobody knows, or there was no request. */
export type RequestOrigin = {
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
};

export type AuditSource = RequestOrigin & { readonly actor: Actor };

export type AuditTargetType =
  | 'Delivery'
  | 'Invitation'
  | 'OAuthClient'
  | 'OAuthGrant'
  | 'Organization'
  | 'Replay'
  | 'Session'
  | 'SigningKey'
  | 'User'
  | 'WebhookSubscription';

/** `label`: what people call it at this time. */
export type AuditTarget = {
  readonly type: AuditTargetType;
  readonly id: string;
  readonly label?: string | null;
};

/** By field, in snake_case. Values are JSON, and nothing secret. */
export type AuditChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

export type Act = {
  readonly action: AuditAction;
  readonly target?: AuditTarget;
  readonly changes?: AuditChanges;
  /** How often it happened, for what is recorded once for many; 1 if left out. */
  readonly occurrences?: number;
};

/** The organization of what belongs to none: the nil UUID (RFC 9562 5.9). */
export const PLATFORM = '00000000-0000-0000-0000-000000000000';

export const NO_ORIGIN: RequestOrigin = { address: null, userAgent: null, requestId: null };
export const OPERATOR: AuditSource = { ...NO_ORIGIN, actor: { kind: 'OPERATOR' } };
export const SYSTEM: AuditSource = { ...NO_ORIGIN, actor: { kind: 'SYSTEM' } };

/** The source of what the viewer does by a request. */
export function sourceOf(viewer: Viewer, origin: RequestOrigin): AuditSource {
  return { ...origin, actor: actorOf(viewer) };
}

function actorOf({ userId, clientId }: Viewer): Actor {
  if (userId !== null) return { kind: 'USER', id: userId, clientId };
  return { kind: 'CLIENT', id: clientId ?? 'unknown' };
}
