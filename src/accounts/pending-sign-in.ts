/**
 * A sign-in whose password was right and whose second factor is still to come. It lives in a sealed cookie for ten
 * minutes and is no session: all it opens is the question for a code.
 */

import { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { type MasterKeys, seal, sha256, unseal } from '../lib/crypto.ts';
import { newId } from '../lib/ids.ts';

const LIFETIME_MS = 10 * 60_000;
const CONTEXT = 'pending sign-in';
const PENDING = z.object({ id: z.string(), userId: z.string(), password: z.string(), until: z.number() });

export type PendingSignIn = z.infer<typeof PENDING>;

export type PendingSignIns = {
  /** The value of the cookie, for a user whose password was checked against this hash. */
  readonly create: (userId: string, passwordHash: string) => string;
  /** Undefined for what is not ours or is over. */
  readonly open: (value: string) => PendingSignIn | undefined;
};

/** Pending sign-ins, sealed under the master keys, so that every process opens them. */
export function createPendingSignIns({
  keys,
  clock,
}: {
  readonly keys: MasterKeys;
  readonly clock: Clock;
}): PendingSignIns {
  return {
    create: (userId, passwordHash) => {
      const until = clock.now().getTime() + LIFETIME_MS;
      const pending: PendingSignIn = { id: newId(), userId, password: fingerprint(passwordHash), until };
      return seal(keys, Buffer.from(JSON.stringify(pending)), CONTEXT).toString('base64url');
    },
    open: (value) => {
      const pending = tryOpen(keys, value);
      return pending !== undefined && pending.until > clock.now().getTime() ? pending : undefined;
    },
  };
}

/** Tells which password was checked, so that a sign-in does not survive its change. */
export function fingerprint(passwordHash: string): string {
  return sha256(passwordHash).toString('base64url');
}

function tryOpen(keys: MasterKeys, value: string): PendingSignIn | undefined {
  try {
    return PENDING.parse(JSON.parse(unseal(keys, Buffer.from(value, 'base64url'), CONTEXT).toString()));
  } catch {
    // A cookie may hold anything.
    return undefined;
  }
}
