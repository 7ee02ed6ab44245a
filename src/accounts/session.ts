/**
 * Sessions: who is signed in, in which browser. A session is known by a token of 256 random bits, kept as SHA-256, that
 * is replaced whenever the session may do more than before. What its user may do is read anew for every request.
 */
import type { Pool, QueryConfig } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { randomAlphanumeric, sha256 } from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';
import { createIdGenerator, isUuid } from '../lib/ids.ts';
import { inBatches } from '../platform/database/in-batches.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import { type Run, runOn } from '../platform/database/run.ts';
import {
  deleteExpiredSessions,
  endOldestSessions,
  endSession,
  endSessions,
  type HeldSession,
  insertSession,
  type ListedSession,
  type MembershipRow,
  replaceSessionToken,
  type SessionRow,
  selectHeldSessions,
  selectMemberships,
  selectSession,
  selectSessions,
  switchSession,
  touchSession,
} from './session-statements.ts';

export type Session = SessionRow;

/** Where a browser is, as far as we are told. */
export type BrowserInfo = { readonly address: string | null; readonly userAgent: string | null };

export type OpenSession = {
  readonly userId: string;
  /** The hash that the password was checked against a moment ago. */
  readonly passwordHash: string;
  readonly hasPassedSecondFactor: boolean;
  readonly browser: BrowserInfo;
};

export type OpenedSession = {
  readonly id: string;
  readonly token: string;
  readonly organizationId: string | null;
};

/** What is written with the act itself: both are there, or neither. */
type Also<T extends unknown[] = []> = (tx: Queryable, ...about: T) => Promise<unknown>;

export type Sessions = {
  /** A new session and its token; undefined when the user was deactivated or the password changed meanwhile. */
  readonly open: (
    session: OpenSession,
    also?: Also<[opened: OpenedSession]>,
  ) => Promise<OpenedSession | undefined>;
  /** The session of a token, while it is alive. */
  readonly find: (token: string) => Promise<Session | undefined>;
  /** Another token for the session, which has passed a second factor now, or has one no longer. Errors: `UNAUTHENTICATED` when it has ended. */
  readonly setSecondFactor: (session: Session, hasPassed: boolean) => Promise<string>;
  /** Another token for the session, which acts for another organization of its user. Errors: `NOT_FOUND`. */
  readonly switchOrganization: (session: Session, organizationId: string, also?: Also) => Promise<string>;
  /** The user's sessions that are alive, newest first. */
  readonly list: (userId: string) => Promise<readonly ListedSession[]>;
  readonly memberships: (userId: string) => Promise<readonly MembershipRow[]>;
  /** Ends a session of this user. Errors: `NOT_FOUND`. */
  readonly end: (userId: string, id: string, also?: Also) => Promise<void>;
  /** Ends the user's sessions but this one; answers how many. */
  readonly endOthers: (
    userId: string,
    keptId: string,
    also?: Also<[ended: readonly string[]]>,
  ) => Promise<number>;
  /** Those of the sessions that are alive, by id. */
  readonly findHeld: (ids: readonly string[]) => Promise<ReadonlyMap<string, HeldSession>>;
};

export type SessionsDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
};

/** A session that is not used for so long has ended. */
export const SESSION_IDLE_MS = 12 * 3_600_000;
/** A session ends so long after it began, however much it is used. */
export const SESSION_ABSOLUTE_MS = 14 * 86_400_000;

/** 43 of 62 characters hold 256 bits. */
const TOKEN_CHARACTERS = 43;
/** What a use may be late in the row: one write a minute, not one a request. */
const USE_RESOLUTION_MS = 60_000;
const MAX_SESSIONS_PER_USER = 50;
const MAX_USER_AGENT_CHARACTERS = 256;
const CLEAN_UP_ROWS = 5_000;

/** The sessions in a database. Errors of every function: `UNAVAILABLE` while the database is away. */
export function createSessions({ pool, clock }: SessionsDeps): Sessions {
  const run = runOn(pool);
  const newId = createIdGenerator(() => clock.now().getTime());
  const usedSince = (now: Date): Date => new Date(now.getTime() - SESSION_IDLE_MS);
  const now = (): Date => clock.now();
  return {
    open: (session, also = async () => undefined) =>
      inTransaction(pool, async (tx) => {
        const opened = await open(runOn(tx), session, { id: newId(), now: now() });
        if (opened !== undefined) await also(tx, opened);
        return opened;
      }),
    find: async (token) => {
      const at = now();
      const [session] = await rowsOf<Session>(run, selectSession(sha256(token), at, usedSince(at)));
      if (session !== undefined && at.getTime() - session.lastUsedAt.getTime() >= USE_RESOLUTION_MS) {
        await run(touchSession(session.id, at));
      }
      return session;
    },
    setSecondFactor: async ({ id }, hasPassed) => {
      const token = newToken();
      const { rowCount } = await run(replaceSessionToken(id, sha256(token), hasPassed ? now() : null));
      if (rowCount !== 1) throw new AppError('UNAUTHENTICATED', 'The session has ended; sign in again.');
      return token;
    },
    switchOrganization: async ({ id }, organizationId, also = async () => undefined) => {
      const token = newToken();
      if (!isUuid(organizationId)) throw notMember();
      await inTransaction(pool, async (tx) => {
        const { rowCount } = await tx.query(switchSession(id, sha256(token), organizationId));
        if (rowCount !== 1) throw notMember();
        await also(tx);
      });
      return token;
    },
    list: (userId) => rowsOf<ListedSession>(run, selectSessions(userId, now(), usedSince(now()))),
    memberships: (userId) => rowsOf<MembershipRow>(run, selectMemberships(userId)),
    end: async (userId, id, also = async () => undefined) => {
      if (!isUuid(id)) throw noSession();
      await inTransaction(pool, async (tx) => {
        const { rowCount } = await tx.query(endSession(userId, id, now()));
        if (rowCount !== 1) throw noSession();
        await also(tx);
      });
    },
    endOthers: (userId, keptId, also = async () => undefined) =>
      inTransaction(pool, async (tx) => {
        const { rows } = await tx.query<{ id: string }>(endSessions(userId, keptId, now()));
        await also(
          tx,
          rows.map(({ id }) => id),
        );
        return rows.length;
      }),
    findHeld: async (ids) => {
      const at = now();
      const held = await rowsOf<HeldSession>(run, selectHeldSessions(ids, at, usedSince(at)));
      return new Map(held.map((session) => [session.id, session]));
    },
  };
}

/** Deletes sessions that can be used no more; answers how many that were. For a scheduled job. */
export function cleanUpSessions({ pool, clock }: SessionsDeps): Promise<number> {
  return inBatches(pool, deleteExpiredSessions(clock.now(), CLEAN_UP_ROWS), CLEAN_UP_ROWS);
}

async function open(
  run: Run,
  { userId, passwordHash, hasPassedSecondFactor, browser }: OpenSession,
  { id, now }: { readonly id: string; readonly now: Date },
): Promise<OpenedSession | undefined> {
  const token = newToken();
  const { rows } = await run<{ organizationId: string | null }>(
    insertSession(
      {
        id,
        userId,
        passwordHash,
        tokenHash: sha256(token),
        expiresAt: new Date(now.getTime() + SESSION_ABSOLUTE_MS),
        secondFactorAt: hasPassedSecondFactor ? now : null,
        address: browser.address,
        userAgent: browser.userAgent?.slice(0, MAX_USER_AGENT_CHARACTERS) ?? null,
      },
      now,
    ),
  );
  if (rows[0] === undefined) return undefined;
  await run(endOldestSessions(userId, MAX_SESSIONS_PER_USER, now));
  return { id, token, ...rows[0] };
}

function notMember(): AppError {
  return new AppError('NOT_FOUND', 'You are not a member of this organization.');
}

function noSession(): AppError {
  return new AppError('NOT_FOUND', 'There is no such session, or it has ended already.');
}

async function rowsOf<R extends object>(run: Run, statement: QueryConfig): Promise<readonly R[]> {
  const { rows } = await run<R>(statement);
  return rows;
}

function newToken(): string {
  return randomAlphanumeric(TOKEN_CHARACTERS);
}
