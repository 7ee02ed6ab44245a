/** Recovery codes: 80 random bits each, written so that a person can copy them, kept as SHA-256. */
import { randomText, sha256 } from '../lib/crypto.ts';

const COUNT = 10;
const CHARACTERS = 16;
/** 32 of them, without those that are read as another: i, l, o, u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Ten new codes, in groups of four: `k3vz-90bt-4m2x-qh7c`. */
export function createRecoveryCodes(): readonly string[] {
  return Array.from({ length: COUNT }, () => randomText(CHARACTERS, ALPHABET).replace(/(.{4})(?=.)/g, '$1-'));
}

/** What is stored of a code, however it was typed; undefined for what is none. */
export function hashRecoveryCode(text: string): Buffer | undefined {
  const code = text.toLowerCase().replace(/[\s-]/g, '');
  return new RegExp(`^[${ALPHABET}]{${CHARACTERS}}$`).test(code) ? sha256(code) : undefined;
}
