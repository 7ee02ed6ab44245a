/**
 * Tokens that prove that a form was made by us for the browser that sends it (OWASP, HMAC based token pattern): no
 * other site can make one, and one that was made for somebody else does not fit. Nothing is stored.
 */
import { deriveKey, equalInConstantTime, hmacSha256, type MasterKeys } from '../../lib/crypto.ts';

export type FormTokens = {
  /** The token for forms of this binding: what the sender is known by, such as its session, and what the form is for. */
  readonly issue: (...binding: readonly string[]) => string;
  /** Whether a token was issued for this binding, under any of the keys. */
  readonly verify: (token: string | undefined, ...binding: readonly string[]) => boolean;
};

/** Tokens under keys derived from the master keys, so that every process knows those of the others. */
export function createFormTokens(masterKeys: MasterKeys): FormTokens {
  const [newest, ...others] = masterKeys.map((key) => deriveKey(key, 'form tokens'));
  if (newest === undefined) throw new Error('There is no master key.');
  // As JSON, so that no two bindings are one text.
  const make = (key: Buffer, binding: readonly string[]): string =>
    hmacSha256(key, JSON.stringify(binding)).toString('base64url');
  return {
    issue: (...binding) => make(newest, binding),
    verify: (token, ...binding) =>
      token !== undefined &&
      [newest, ...others].some((key) => equalInConstantTime(token, make(key, binding))),
  };
}
