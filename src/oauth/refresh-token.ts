/** Refresh tokens (RFC 6749 6): 256 random bits, kept as SHA-256, exchanged once each. */
import { randomAlphanumeric, sha256 } from '../lib/crypto.ts';
import type { NewRefreshToken } from './grant-statements.ts';

const DAY_MS = 86_400_000;
/** One that is not used for so long has expired. */
export const REFRESH_TOKEN_IDLE_MS = 30 * DAY_MS;
/** A grant, and with it the last of its refresh tokens, ends so long after the person allowed it. */
export const GRANT_MS = 90 * DAY_MS;
/**
 * Two exchanges of one code or token within this time are a double click or a retry, not a theft.
 */
export const GRACE_MS = 10_000;

// 43 of 62 characters hold 256 bits.
const CHARACTERS = 43;

export type DraftedRefreshToken = { readonly token: string; readonly row: NewRefreshToken };

/** A code or refresh token: 256 random bits in letters and digits. */
export function randomToken(): string {
  return randomAlphanumeric(CHARACTERS);
}

/** A refresh token to be; it counts once its row is stored. */
export function draftRefreshToken(id: string, now: Date): DraftedRefreshToken {
  const token = randomToken();
  const expiresAt = new Date(now.getTime() + REFRESH_TOKEN_IDLE_MS);
  return { token, row: { id, hash: sha256(token), expiresAt } };
}
