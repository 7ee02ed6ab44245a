/**
 * Signs deliveries: `X-Optio-Signature` over the body (webhooks rule 23), and the headers of
 * Standard Webhooks 1.0 over id, timestamp and body (webhooks rule 24).
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

const PREFIX = 'whsec_';
const KEY_BYTES = 32;
/** 32 bytes in base64, with its padding, and no stray bits in the last character. */
const FORM = /^whsec_[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** A signing secret with both of its keys made ready: keys that OpenSSL has seen sign five times as fast as bytes. */
export type Secret = {
  /** The UTF-8 bytes of the secret as shown. */
  readonly textKey: KeyObject;
  /** The bytes that its base64 stands for. */
  readonly decodedKey: KeyObject;
};

export type SignatureInput = {
  readonly body: Buffer;
  readonly deliveryId: string;
  /** Seconds since 1970, whole. */
  readonly timestampSeconds: number;
  /** Every valid secret, newest first; at least one. */
  readonly secrets: readonly Secret[];
};

export type SignatureHeaders = {
  readonly 'X-Optio-Signature': string;
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
};

/**
 * The headers that prove a delivery's origin. The newest secret alone makes `X-Optio-Signature`;
 * every secret makes an entry of `webhook-signature`, so that a receiver may hold either during a rotation.
 */
export function signatureHeaders(input: SignatureInput): SignatureHeaders {
  const { body, deliveryId, timestampSeconds, secrets } = input;
  const newest = secrets[0];
  if (newest === undefined) throw new Error('A delivery cannot be signed without a secret.');
  const prefix = `${deliveryId}.${timestampSeconds}.`;
  return {
    'X-Optio-Signature': `sha256=${createHmac('sha256', newest.textKey).update(body).digest('hex')}`,
    'webhook-id': deliveryId,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': secrets.map((secret) => standardSignature(secret, prefix, body)).join(' '),
  };
}

/** A new secret: `whsec_` and 256 random bits in base64. */
export function generateSecret(): string {
  return PREFIX + randomBytes(KEY_BYTES).toString('base64');
}

/** Makes a secret ready to sign. Throws when the text is not one that `generateSecret` could have made; the text is not repeated. */
export function parseSecret(text: string): Secret {
  if (!FORM.test(text)) throw new Error('Expected a webhook secret: whsec_ and 32 bytes in base64.');
  return {
    textKey: createSecretKey(text, 'utf8'),
    decodedKey: createSecretKey(text.slice(PREFIX.length), 'base64'),
  };
}

function standardSignature(secret: Secret, prefix: string, body: Buffer): string {
  return `v1,${createHmac('sha256', secret.decodedKey).update(prefix).update(body).digest('base64')}`;
}
