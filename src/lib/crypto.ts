/**
 * Hashing, sealing and randomness. The only importer of oslo.
 * Hot paths use node:crypto, whose HMAC is synchronous; oslo serves what people choose (passwords) and type (codes).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { base32 } from 'oslo/encoding';
import { createTOTPKeyURI, generateHOTP } from 'oslo/otp';
import { Argon2id } from 'oslo/password';

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 4;
// More than are passed over, nearly always.
const SPARE_BYTES = 16;

/** Random text over `[A-Za-z0-9]`; 43 characters hold 256 bits. */
export function randomAlphanumeric(length: number): string {
  return randomText(length, ALPHANUMERIC);
}

/** Random text over an alphabet of 2 to 256 single characters, each as likely as any other. */
export function randomText(length: number, alphabet: string): string {
  // All bytes of a text are drawn at once; to draw each character for itself costs 25 times as much. Bytes beyond the last
  // multiple of the alphabet's length would make its first characters likelier, so they are passed over.
  const beyond = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    const usable = randomBytes(length + SPARE_BYTES).filter((byte) => byte < beyond);
    for (const byte of usable.subarray(0, length - text.length))
      text += alphabet.charAt(byte % alphabet.length);
  }
  return text;
}

/** SHA-256 of a text's UTF-8 bytes. For secrets of 256 random bits; what people choose gets `hashPassword`. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** HMAC-SHA256 of `data` under `key`. */
export function hmacSha256(key: Buffer | string, data: Buffer | string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** Compares in a time that depends on neither content nor length. */
export function equalInConstantTime(a: Buffer | string, b: Buffer | string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

/** Argon2id hash of a password, in PHC form. */
export async function hashPassword(password: string): Promise<string> {
  return new Argon2id().hash(password);
}

/** Whether `password` is the one `hash` (PHC form) was made of. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  return new Argon2id().verify(hash, password);
}

/** How long a code of `totpCode` is the current one. */
export const TOTP_STEP_SECONDS = 30;

/** The code of six digits for a time step (RFC 6238 4, with HMAC-SHA-1 as authenticator apps expect it). */
export async function totpCode(secret: Buffer, step: number): Promise<string> {
  return generateHOTP(secret, step);
}

/** The URI that an authenticator app reads a secret from, as a QR code. */
export function totpUri(secret: Buffer, { issuer, account }: { issuer: string; account: string }): string {
  return createTOTPKeyURI(issuer, account, secret);
}

/** RFC 4648 6, without padding: what people type into an authenticator app. */
export function encodeBase32(bytes: Buffer): string {
  return base32.encode(bytes, { includePadding: false });
}

/** 32-byte keys, newest first: the first seals, all of them open. */
export type MasterKeys = readonly [Buffer, ...Buffer[]];

/**
 * Seals a secret with AES-256-GCM under the newest master key; `context` is bound to it as associated data
 * and must be the same to open it. Form: key id (4 bytes), IV (12), tag (16), ciphertext.
 */
export function seal(keys: MasterKeys, plaintext: Buffer, context: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keys[0], iv).setAAD(Buffer.from(context));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([keyId(keys[0]), iv, cipher.getAuthTag(), ciphertext]);
}

/** What everything that `seal` makes under a key begins with. */
export function sealPrefix(key: Buffer): Buffer {
  return keyId(key);
}

/** Opens what `seal` made. Throws when no key fits, the context differs, or a bit was changed. */
export function unseal(keys: MasterKeys, sealed: Buffer, context: string): Buffer {
  const key = keys.find((candidate) => keyId(candidate).equals(sealed.subarray(0, KEY_ID_BYTES)));
  if (key === undefined) {
    throw new Error('A sealed secret was made under a master key that MASTER_KEY does not contain.');
  }
  const iv = sealed.subarray(KEY_ID_BYTES, KEY_ID_BYTES + IV_BYTES);
  const body = sealed.subarray(KEY_ID_BYTES + IV_BYTES);
  // With its length named, a part of the tag does not pass for the tag: four bytes of it could be guessed.
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(context))
    .setAuthTag(body.subarray(0, TAG_BYTES));
  return Buffer.concat([decipher.update(body.subarray(TAG_BYTES)), decipher.final()]);
}

/** A key for one purpose, derived from a master key (HKDF-SHA256, RFC 5869). */
export function deriveKey(master: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master, Buffer.alloc(0), purpose, 32));
}

function keyId(key: Buffer): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, KEY_ID_BYTES);
}
