/** PKCE (RFC 7636), with the method S256 alone. */
import { sha256 } from '../lib/crypto.ts';

const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/;
// What S256 makes: 32 bytes in base64url.
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;

/** Whether a text has the form of a code_challenge of S256. */
export function isCodeChallenge(text: string): boolean {
  return CHALLENGE.test(text);
}

/** The challenge that a verifier answers (RFC 7636 4.6); undefined when it is none (4.1). */
export function challengeOf(verifier: string): string | undefined {
  return VERIFIER.test(verifier) ? sha256(verifier).toString('base64url') : undefined;
}
