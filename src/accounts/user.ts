/** Users: people, each known by one email address, whatever organizations they are members of. */
import { validationError } from '../lib/errors.ts';
import type { Queryable } from '../platform/database/pool.ts';
import {
  insertUser,
  selectFirstPlatformAdmin,
  selectUserByEmail,
  type User,
  updateUserToPlatformAdmin,
} from './statements.ts';

// RFC 5321 4.5.3.1.3 bounds a path at 256 characters with its brackets. What lies between, only a mail can prove.
const EMAIL = /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,189}$/u;

/** The form an address is stored and looked up in: trimmed, lower case. Refuses (`VALIDATION`) what is no address. */
export function normalizeEmail(email: string): string {
  const normalized = email.trim().toLowerCase();
  if (!EMAIL.test(normalized)) {
    throw validationError([
      { path: ['email'], message: 'An email address is expected, such as ada@school.example.' },
    ]);
  }
  return normalized;
}

/** The user with this address (normalized), deactivated ones included; null when there is none. */
export async function findUserByEmail(db: Queryable, email: string): Promise<User | null> {
  const { rows } = await db.query<User>(selectUserByEmail(email));
  return rows[0] ?? null;
}

/** The oldest active platform admin; null while there is none. */
export async function findFirstPlatformAdmin(db: Queryable): Promise<User | null> {
  const { rows } = await db.query<User>(selectFirstPlatformAdmin());
  return rows[0] ?? null;
}

/** Stores a new user, active; the address must be normalized and free. */
export async function createUser(db: Queryable, user: Omit<User, 'deactivatedAt'>, now: Date): Promise<User> {
  const created: User = { ...user, deactivatedAt: null };
  await db.query(insertUser(created, now));
  return created;
}

/** Makes the user an active platform admin. */
export async function makePlatformAdmin(db: Queryable, user: User, now: Date): Promise<User> {
  await db.query(updateUserToPlatformAdmin(user.id, now));
  return { ...user, isPlatformAdmin: true, deactivatedAt: null };
}
