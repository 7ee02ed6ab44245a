/** The payload is not proven to come from who holds the secret. */
export declare class WebhookVerificationError extends Error {
  override name: 'WebhookVerificationError';
}

/** The body exactly as it was received. */
export type RawPayload = string | Uint8Array;

/** A Headers object, or a plain one such as Node's `request.headers`; names in any case. */
export type WebhookHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export type VerifyOptions = {
  /** How far the timestamp may be off, in seconds. Default: 300. */
  readonly toleranceSeconds?: number;
  /** Default: the time of the call. */
  readonly now?: Date;
};

/**
 * Verifies the header X-Optio-Signature. Returns true.
 * @throws {WebhookVerificationError} when the signature is missing, malformed or does not match.
 * @throws {TypeError} when the payload is not raw or the secret is missing: a mistake in the calling code.
 */
export declare function verifyWebhookSignature(
  payload: RawPayload,
  signature: string | null | undefined,
  secret: string,
): true;

/**
 * Verifies the headers webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks 1.0) and gives the parsed payload.
 * @throws {WebhookVerificationError} when a header is missing, the timestamp is too far off, no signature matches, or the payload is not JSON.
 * @throws {TypeError} when the payload is not raw or the secret is not one: a mistake in the calling code.
 */
export declare function verifyWebhook(
  payload: RawPayload,
  headers: WebhookHeaders,
  secret: string,
  options?: VerifyOptions,
): unknown;
