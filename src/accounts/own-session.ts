/** What a viewer sees and ends of its own sessions. A token, whoever it acts for, has none. */
import { AppError } from '../lib/errors.ts';
import type { Queryable } from '../platform/database/pool.ts';
import type { RecordAct } from './act.ts';
import type { Sessions } from './session.ts';
import type { ListedSession, MembershipRow } from './session-statements.ts';
import { requireSession, type Viewer } from './viewer.ts';

export type OwnSession = ListedSession & {
  /** Whether the viewer asks in this one. */
  readonly isCurrent: boolean;
};

/** `address`: where the request comes from, for the audit log. Errors of each: `FORBIDDEN` unless the viewer has signed in. */
export type OwnSessions = {
  /** Those that are alive, newest first. */
  readonly list: (viewer: Viewer) => Promise<readonly OwnSession[]>;
  /** Where the viewer is a member, by the name of the organization. */
  readonly memberships: (viewer: Viewer) => Promise<readonly MembershipRow[]>;
  /** Errors: `NOT_FOUND` for a session that is not the viewer's own. */
  readonly end: (viewer: Viewer, id: string, address: string | null) => Promise<void>;
  /** Ends all but this one; answers how many. Errors: `NOT_FOUND` when that is not the viewer's own. */
  readonly endOthers: (viewer: Viewer, keptId: string, address: string | null) => Promise<number>;
};

export type OwnSessionsDeps = { readonly sessions: Sessions; readonly record: RecordAct };

/** The functions over the sessions. */
export function createOwnSessions({ sessions, record }: OwnSessionsDeps): OwnSessions {
  const recordEnd =
    ({ organizationId }: Viewer, userId: string, address: string | null) =>
    (tx: Queryable, sessionId: string): Promise<void> =>
      record({ action: 'session.ended', userId, organizationId, sessionId, address }, tx);
  return {
    list: async (viewer) => {
      const { userId, sessionId } = requireSession(viewer);
      const listed = await sessions.list(userId);
      return listed.map((session) => ({ ...session, isCurrent: session.id === sessionId }));
    },
    memberships: async (viewer) => sessions.memberships(requireSession(viewer).userId),
    end: async (viewer, id, address) => {
      const { userId } = requireSession(viewer);
      const ended = recordEnd(viewer, userId, address);
      await sessions.end(userId, id, (tx) => ended(tx, id));
    },
    endOthers: async (viewer, keptId, address) => {
      const { userId } = requireSession(viewer);
      const listed = await sessions.list(userId);
      if (!listed.some(({ id }) => id === keptId))
        throw new AppError('NOT_FOUND', 'There is no such session to keep.');
      const ended = recordEnd(viewer, userId, address);
      return sessions.endOthers(userId, keptId, async (tx, ids) => {
        for (const id of ids) await ended(tx, id);
      });
    },
  };
}
