/** From a session to the viewer of a request: who comes with its cookie, and what it takes to be let in. */

import { PLATFORM } from '../audit/entry.ts';
import { AppError } from '../lib/errors.ts';
import type { Cookie } from '../platform/http/cookies.ts';
import type { Session, Sessions } from './session.ts';
import type { Viewer } from './viewer.ts';

export type SessionViewersDeps = {
  readonly sessions: Sessions;
  readonly cookie: Cookie;
  /** PUBLIC_URL. */
  readonly publicUrl: string;
  /** Other origins whose pages may use the API. */
  readonly corsOrigins: readonly string[];
  /** Whether admins have to have a second factor. */
  readonly requireSecondFactor: boolean;
};

export type SessionViewers = {
  /**
   * The viewer of the session whose cookie the request carries; null without one, and for a page of another origin.
   * Errors: `UNAUTHENTICATED` when the session has ended, lacks a second factor, or acts for no organization, as only an
   * admin of the platform may.
   */
  readonly authenticate: (headers: Headers) => Promise<Viewer | null>;
  /** Those of the viewers whose sessions are alive and whose users are still what they were. */
  readonly findHeld: (viewers: readonly Viewer[]) => Promise<ReadonlySet<Viewer>>;
};

/** Viewers by session. */
export function createSessionViewers(deps: SessionViewersDeps): SessionViewers {
  const { sessions, cookie, publicUrl, corsOrigins, requireSecondFactor } = deps;
  const origins = new Set([publicUrl, ...corsOrigins].map((url) => new URL(url).origin));
  return {
    authenticate: async (headers) => {
      const token = cookie.read(headers);
      const origin = headers.get('origin');
      // The browser guard has refused such a request already; here a session is not even looked at for it.
      if (token === undefined || (origin !== null && !origins.has(origin))) return null;
      const session = await sessions.find(token);
      if (session === undefined) {
        throw new AppError('UNAUTHENTICATED', `The session has ended; sign in at ${publicUrl}/login.`);
      }
      if (requireSecondFactor && lacksSecondFactor(session)) {
        const page = `${publicUrl}/account/second-factor`;
        throw new AppError('UNAUTHENTICATED', `An admin needs a second factor here; set it up at ${page}.`);
      }
      return viewerOf(session, publicUrl);
    },
    findHeld: async (viewers) => {
      const held = await sessions.findHeld(viewers.flatMap(({ session }) => session?.id ?? []));
      return new Set(viewers.filter((viewer) => isHeld(viewer, held)));
    },
  };
}

/** Whether the session is an admin's, of its organization or of the platform, and was opened by a password alone. */
export function lacksSecondFactor({ role, isPlatformAdmin, secondFactorAt }: Session): boolean {
  return secondFactorAt === null && (role === 'ADMIN' || isPlatformAdmin);
}

function viewerOf(session: Session, publicUrl: string): Viewer {
  const { organizationId, role } = placeOf(session);
  if (organizationId === null || role === null) {
    const message = `The session acts for no organization; choose one at ${publicUrl}/account.`;
    throw new AppError('UNAUTHENTICATED', message);
  }
  return {
    organizationId,
    role,
    userId: session.userId,
    clientId: null,
    scopes: null,
    // The last moment it can live to: what ends it earlier is asked of the database, see `findHeld`.
    expiresAt: session.expiresAt,
    tokenId: null,
    session: { id: session.id, isPlatformAdmin: session.isPlatformAdmin },
  };
}

/** Where the session acts. An admin of the platform may do so for no organization. */
function placeOf({ organizationId, role, isPlatformAdmin }: Session): PlaceOf {
  if (isPlatformAdmin && (organizationId === null || role === null)) {
    return { organizationId: PLATFORM, role: 'NONE' };
  }
  return { organizationId, role };
}

type PlaceOf = { readonly organizationId: string | null; readonly role: Viewer['role'] | null };

function isHeld(viewer: Viewer, held: Awaited<ReturnType<Sessions['findHeld']>>): boolean {
  const now = held.get(viewer.session?.id ?? '');
  return now !== undefined && now.role === viewer.role && now.organizationId === viewer.organizationId;
}
