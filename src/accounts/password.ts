/**
 * Passwords: what people choose, kept as Argon2id (RFC 9106). The policy is length and what is guessed first, and nothing
 * about kinds of characters (NIST SP 800-63B 3.1.1.2).
 */
import { hashPassword } from '../lib/crypto.ts';
import { validationError } from '../lib/errors.ts';
import type { Queryable } from '../platform/database/pool.ts';
import { findGuessable } from './guessable-password.ts';
import { endSessions } from './session-statements.ts';
import { selectPasswordHash, upsertPassword } from './statements.ts';

export const MIN_PASSWORD_CHARACTERS = 12;
/** A bound on what is hashed, so that a request cannot make the server hash a book. */
export const MAX_PASSWORD_BYTES = 1_024;

/** Whose password it is to be. */
export type PasswordOwner = { readonly email: string; readonly name?: string };

/** Refuses (`VALIDATION`, path `field`) a password that is too short, too long, or among the first to be guessed. */
export function requireGoodPassword(password: string, owner: PasswordOwner, field = 'password'): void {
  const fault = findFault(password, owner);
  if (fault !== undefined) throw validationError([{ path: [field], message: fault }]);
}

/**
 * Stores the hash of a password that passes the policy. The one before ends, and so does every session that was opened
 * with it. Errors: `requireGoodPassword`.
 */
export async function setPassword(
  db: Queryable,
  user: PasswordOwner & { readonly id: string },
  password: string,
  now: Date,
): Promise<void> {
  requireGoodPassword(password, user);
  // In this order: a session that is being opened waits for the new hash, or is there to be ended.
  await db.query(upsertPassword(user.id, await hashPassword(password), now));
  await db.query(endSessions(user.id, null, now));
}

/** The stored hash (PHC form), or null when the user has no password. */
export async function findPasswordHash(db: Queryable, userId: string): Promise<string | null> {
  const { rows } = await db.query<{ hash: string }>(selectPasswordHash(userId));
  return rows[0]?.hash ?? null;
}

function findFault(password: string, owner: PasswordOwner): string | undefined {
  // Code points, because a person counts an emoji as one.
  if (Array.from(password).length < MIN_PASSWORD_CHARACTERS) {
    return `A password needs at least ${MIN_PASSWORD_CHARACTERS} characters.`;
  }
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    return `A password may have at most ${MAX_PASSWORD_BYTES} bytes.`;
  }
  return findGuessable(password, owner);
}
