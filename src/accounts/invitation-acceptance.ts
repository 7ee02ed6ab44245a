/**
 * Invitations, from the side of who is invited: what the link in the mail leads to. Whoever holds the link reads the
 * mailbox, which is all that is asked of a person who has an account; one who has none chooses a password.
 * It runs as the authorization server: no request of an organization can take in a person.
 */
import type { Pool, PoolClient, QueryConfig } from 'pg';
import { beginning } from '../audit/difference.ts';
import type { RequestOrigin } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { hashPassword } from '../lib/crypto.ts';
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import type { Gate } from '../lib/gate.ts';
import { newId } from '../lib/ids.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import { findNameFault } from './invitation-input.ts';
import {
  type InvitedUser,
  insertInvitedUser,
  insertMembership,
  lockInvitedUser,
  type OpenInvitation,
  selectInvitedUser,
  selectOpenInvitation,
  updateToAccept,
} from './invitation-statements.ts';
import { consumeToken, findToken } from './one-time-token.ts';
import { requireGoodPassword } from './password.ts';
import { type MemberRole, upsertPassword } from './statements.ts';

/** A person who has become a member. */
export type NewMember = {
  readonly organizationId: string;
  readonly userId: string;
  readonly role: MemberRole;
  readonly at: Date;
};

export type InvitationDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  /** What hashes passwords goes through it: `PASSWORD_GATE`. */
  readonly gate: Gate;
  /**
   * Tells of the new member in the transaction that makes it one; what is answered runs after the commit.
   * (`user.registered` is emitted so, by a room that lies above this one.)
   */
  readonly onMemberJoined: (tx: PoolClient, member: NewMember) => Promise<() => void>;
};

/** What the page of an invitation shows. */
export type InvitationView = Pick<OpenInvitation, 'organizationName' | 'email' | 'name' | 'role'> & {
  /** Whether the person has to choose a password, having none. */
  readonly needsPassword: boolean;
};

/** The invitation of the token in a link; null when the link is not good (any more). Uses nothing up. */
export async function findInvitationByToken(
  { pool, clock }: Pick<InvitationDeps, 'pool' | 'clock'>,
  token: string,
): Promise<InvitationView | null> {
  return inTransaction(pool, async (tx) => {
    const now = clock.now();
    const id = await findToken(tx, 'INVITATION', token, now);
    const invitation = id === null ? null : await first<OpenInvitation>(tx, selectOpenInvitation(id, now));
    if (invitation === null) return null;
    const { organizationName, email, name, role } = invitation;
    const user = await first<InvitedUser>(tx, selectInvitedUser(email));
    const needsPassword = user?.hasPassword !== true;
    return { organizationName, email, name: user?.name ?? name, role, needsPassword };
  });
}

export type Acceptance = {
  readonly token: string;
  /** Of a person who has no account yet; the one in the invitation if left out. */
  readonly name?: string | undefined;
  /** Of a person who has none; must be left out otherwise. */
  readonly password?: string | undefined;
  readonly origin: RequestOrigin;
};

/**
 * Makes the invited person a member, with an account and a password if there was none; uses the token up; all in one
 * transaction. Errors: `NOT_FOUND` when the link is not good (any more); `VALIDATION` (paths `name`, `password`), which
 * leaves it good; `CONFLICT` for a deactivated account; `UNAVAILABLE`.
 */
export async function acceptInvitation(deps: InvitationDeps, acceptance: Acceptance): Promise<NewMember> {
  const { token, password } = acceptance;
  // Before the password is hashed, so that only who holds a link makes the server do so.
  const view = await findInvitationByToken(deps, token);
  if (view === null) throw badLink();
  const name = requireGoodInput(view, acceptance);
  const hash =
    view.needsPassword && password !== undefined ? await deps.gate(() => hashPassword(password)) : undefined;
  const [member, afterCommit] = await inTransaction(deps.pool, async (tx) => {
    const now = deps.clock.now();
    const invitation = await takeInvitation(tx, token, now);
    const userId = await takeUser(tx, { email: invitation.email, name, hash, now });
    const { organizationId, role } = invitation;
    const joined: NewMember = { organizationId, userId, role, at: now };
    const { rowCount } = await tx.query(insertMembership(organizationId, userId, role, now));
    if (rowCount === 0) return [joined, () => undefined] as const;
    await recordJoining(tx, joined, { email: invitation.email, origin: acceptance.origin });
    return [joined, await deps.onMemberJoined(tx, joined)] as const;
  });
  afterCommit();
  return member;
}

async function recordJoining(
  tx: PoolClient,
  { organizationId, userId, role, at }: NewMember,
  { email, origin }: { readonly email: string; readonly origin: RequestOrigin },
): Promise<void> {
  const source = { ...origin, actor: { kind: 'USER', id: userId, clientId: null } } as const;
  const target = { type: 'User', id: userId, label: email } as const;
  const act = { action: 'member.joined', target, changes: beginning({ role }) } as const;
  await recordOn(tx, { place: { organizationId }, source, now: at }, act);
}

function requireGoodInput(view: InvitationView, { name, password }: Acceptance): string {
  if (!view.needsPassword) return view.name;
  const faults: Fault[] = [];
  const nameFault = name === undefined ? undefined : findNameFault(name);
  if (nameFault !== undefined) faults.push({ path: ['name'], message: nameFault });
  if (password === undefined) faults.push({ path: ['password'], message: 'A password is needed.' });
  if (faults.length > 0) throw validationError(faults);
  if (password !== undefined) requireGoodPassword(password, { email: view.email, name: name ?? view.name });
  return name?.trim() ?? view.name;
}

async function takeInvitation(tx: PoolClient, token: string, now: Date): Promise<OpenInvitation> {
  const id = await consumeToken(tx, 'INVITATION', token, now);
  if (id === null) throw badLink();
  const invitation = await first<OpenInvitation>(tx, updateToAccept(id, now));
  if (invitation === null) throw badLink();
  return invitation;
}

type Invited = {
  readonly email: string;
  readonly name: string;
  readonly hash: string | undefined;
  readonly now: Date;
};

/** The person's account, made if there is none; with the password if it has none. */
async function takeUser(tx: PoolClient, { email, name, hash, now }: Invited): Promise<string> {
  await tx.query(insertInvitedUser(newId(), email, name, now));
  const user = await first<InvitedUser>(tx, lockInvitedUser(email));
  if (user === null) throw badLink();
  if (user.deactivatedAt !== null) {
    throw new AppError('CONFLICT', 'This account is deactivated; ask the people who run this server.');
  }
  if (user.hasPassword) return user.id;
  // It lost its password since the page was made; the page has to be shown anew.
  if (hash === undefined) throw validationError([{ path: ['password'], message: 'A password is needed.' }]);
  await tx.query(upsertPassword(user.id, hash, now));
  return user.id;
}

async function first<T extends object>(db: Queryable, statement: QueryConfig): Promise<T | null> {
  const { rows } = await db.query<T>(statement);
  return rows[0] ?? null;
}

function badLink(): AppError {
  return new AppError(
    'NOT_FOUND',
    'This invitation is not good any more: it was accepted or revoked, it has expired, or a newer link was sent.',
  );
}
