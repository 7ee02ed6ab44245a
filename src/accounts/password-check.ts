/** Checks passwords in a time that does not tell whether the account exists, and never too many at once. */
import { sha256, verifyPassword } from '../lib/crypto.ts';
import type { Queryable } from '../platform/database/pool.ts';
import { findPasswordHash, MAX_PASSWORD_BYTES } from './password.ts';
import type { User } from './statements.ts';

/**
 * Of a password that nobody has, with the parameters of every other: whoever has no password, or does not exist, is
 * checked against it.
 */
export const NOBODYS_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$P8HorHhaCG9lAIZTuaqp3g$r4oNl/oq6/J2HpE757nEM5XAMrug4iA1wz4iu8O2OWU';

const NOBODY = '00000000-0000-0000-0000-000000000000';

/** The user's stored hash if the password fits it and the user is active; else undefined. */
export async function checkPassword(
  db: Queryable,
  user: Pick<User, 'id' | 'deactivatedAt'> | null,
  password: string,
): Promise<string | undefined> {
  // Asked for nobody as well: the time of a statement can be told, too.
  const stored = await findPasswordHash(db, user?.id ?? NOBODY);
  const fits = await verifyPassword(stored ?? NOBODYS_HASH, bounded(password));
  const isActive = user !== null && user.deactivatedAt === null;
  return stored !== null && fits && isActive ? stored : undefined;
}

/**
 * The gate that everything goes through which hashes passwords. Each hash takes 19 MiB and one of the four threads that
 * Node also resolves names and reads files with.
 */
export const PASSWORD_GATE = { maxRunning: 2, maxWaiting: 100 };

/** What no password can be stands for itself by its hash, so that a request cannot make the server hash a book. */
function bounded(password: string): string {
  return Buffer.byteLength(password) <= MAX_PASSWORD_BYTES ? password : sha256(password).toString('base64');
}
