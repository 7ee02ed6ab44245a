/**
 * Verifies webhooks of Optio Connect. Plain JavaScript without dependencies, for Node.js 18 and newer.
 * Pass the body exactly as it was received: parsed and printed again it is another body.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const PREFIX = 'whsec_';

/** The payload is not proven to come from who holds the secret. The message says what to look at, never what would have been right. */
export class WebhookVerificationError extends Error {
  name = 'WebhookVerificationError';
}

/**
 * Verifies the header X-Optio-Signature: `sha256=` and the HMAC-SHA256 of the body in lower-case hex,
 * under the UTF-8 bytes of the secret as it was shown. Returns true; throws a WebhookVerificationError otherwise.
 */
export function verifyWebhookSignature(payload, signature, secret) {
  const body = toBytes(payload);
  const key = requireSecret(secret);
  if (typeof signature !== 'string' || signature === '') {
    throw new WebhookVerificationError('The header X-Optio-Signature is missing.');
  }
  if (!/^sha256=[0-9a-f]{64}$/.test(signature)) {
    throw new WebhookVerificationError(
      'The header X-Optio-Signature does not have the form sha256=<64 lower-case hex digits>.',
    );
  }
  const expected = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  if (!equal(signature, expected)) throw mismatch();
  return true;
}

/**
 * Verifies the headers of Standard Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature) and gives the
 * payload parsed from JSON. Throws a WebhookVerificationError when a header is missing, the timestamp is more than
 * `toleranceSeconds` off, no signature matches, or the payload is not JSON.
 */
export function verifyWebhook(payload, headers, secret, { toleranceSeconds = 300, now = new Date() } = {}) {
  const body = toBytes(payload);
  const key = decodeSecret(requireSecret(secret));
  const id = requireHeader(headers, 'webhook-id');
  const timestamp = requireHeader(headers, 'webhook-timestamp');
  const signatures = requireHeader(headers, 'webhook-signature');
  checkTimestamp(timestamp, toleranceSeconds, now);
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  // Every entry is compared, so that the time does not tell which one matched.
  const matches = signatures.split(' ').filter((signature) => equal(signature, `v1,${mac}`));
  if (matches.length === 0) throw mismatch();
  return parse(body);
}

function checkTimestamp(text, toleranceSeconds, now) {
  if (!/^\d{1,15}$/.test(text)) {
    throw new WebhookVerificationError('The header webhook-timestamp is not a number of seconds since 1970.');
  }
  const ageSeconds = Math.floor(now.getTime() / 1000) - Number(text);
  // Written so that an invalid `now` or tolerance refuses, too.
  if (!(ageSeconds <= toleranceSeconds)) {
    throw new WebhookVerificationError(
      'The webhook is too old: it may be a replay, or the clock here is fast.',
    );
  }
  if (!(ageSeconds >= -toleranceSeconds)) {
    throw new WebhookVerificationError('The webhook is from the future: the clock here is slow.');
  }
}

function parse(body) {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new WebhookVerificationError('The signature is right, but the payload is not JSON.', { cause });
  }
}

function toBytes(payload) {
  if (typeof payload === 'string') return Buffer.from(payload, 'utf8');
  if (payload instanceof Uint8Array) {
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }
  throw new TypeError('Expected the raw payload, as a string or bytes. A parsed body cannot be verified.');
}

function requireSecret(secret) {
  if (typeof secret === 'string' && secret !== '') return secret;
  throw new TypeError('Expected the secret of the webhook subscription, such as whsec_….');
}

function decodeSecret(secret) {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = Buffer.from(encoded, 'base64');
  // Buffer leaves out what is not base64; a mistyped secret should not end as a strange mismatch.
  if (key.length > 0 && key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')) return key;
  throw new TypeError('Expected a secret of the form whsec_<base64>.');
}

function requireHeader(headers, name) {
  const value = readHeader(headers, name);
  if (typeof value === 'string' && value !== '') return value;
  throw new WebhookVerificationError(`The header ${name} is missing.`);
}

/** From a Headers object, or from a plain one with names in any case, where a value may be a list as in Node. */
function readHeader(headers, name) {
  if (headers !== null && typeof headers === 'object' && typeof headers.get === 'function') {
    return headers.get(name);
  }
  const found = Object.keys(headers ?? {}).find((key) => key.toLowerCase() === name);
  const value = found === undefined ? undefined : headers[found];
  return Array.isArray(value) ? value[0] : value;
}

/** Compares in a time that depends on neither content nor length. */
function equal(a, b) {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function mismatch() {
  return new WebhookVerificationError(
    'The signature does not match: the secret is another one, or the body is not exactly what was received.',
  );
}
