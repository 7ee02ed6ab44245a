/**
 * Acts that are done once, however often they are asked for: the same viewer with the same key within 24 hours gets the
 * first answer again. The key is stored in the transaction of the act, so there is never the one without the other.
 */
import type { z } from 'zod';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { Clock } from '../lib/clock.ts';
import { type MasterKeys, seal, sha256, unseal } from '../lib/crypto.ts';
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import type { SealedColumn } from '../platform/reseal.ts';
import type { RequestContext, Viewer } from './viewer.ts';

export type OnceContext = Pick<RequestContext, 'viewer'> & {
  readonly clock: Clock;
  /** Seal the answers. */
  readonly keys: MasterKeys;
};

export type OnceRequest<T> = {
  /** What is done. A key that was used for something else is refused. */
  readonly operation: string;
  /** Without one it is done. */
  readonly key: string | undefined;
  /** All that was asked for, but the key. */
  readonly input: unknown;
  /** What is kept of the answer: ids, and what is shown once. */
  readonly answer: z.ZodType<T>;
};

export type Once<T> = {
  readonly answer: T;
  /** It was done before, under the same key. */
  readonly deduplicated: boolean;
};

const LIFETIME_MS = 24 * 3_600_000;

/**
 * Does it, or answers what it answered the first time. Of several at a time with one key, one does it and the others
 * wait for its end. Throws `VALIDATION` for what is no key, `CONFLICT` for one that was used for something else.
 */
export async function once<T>(
  { tx }: Pick<Unit, 'tx'>,
  context: OnceContext,
  { operation, key, input, answer: schema }: OnceRequest<T>,
  act: () => Promise<T>,
): Promise<Once<T>> {
  if (key === undefined) return { answer: await act(), deduplicated: false };
  requireKey(key);
  const row = { ...holderOf(context.viewer), key };
  const hash = sha256(canonicalJson([operation, input]));
  const before = await claim(tx, context.clock.now(), { ...row, operation, hash });
  if (before === undefined) {
    const answer = await act();
    await keep(tx, row, seal(context.keys, Buffer.from(JSON.stringify(answer)), sealContext(row)));
    return { answer, deduplicated: false };
  }
  if (before.operation !== operation || !hash.equals(before.hash)) throw usedOtherwise();
  const opened = unseal(context.keys, Buffer.from(before.sealed ?? []), sealContext(row)).toString();
  return { answer: schema.parse(JSON.parse(opened)), deduplicated: true };
}

/** What does not fit in a key. */
export function keyFaults(key: string | undefined): readonly Fault[] {
  if (key === undefined || /^[\x20-\x7e]{1,200}$/.test(key)) return [];
  return [{ path: ['idempotency_key'], message: 'Expected 1 to 200 printable ASCII characters.' }];
}

function requireKey(key: string): void {
  const faults = keyFaults(key);
  if (faults.length > 0) throw validationError(faults);
}

type Holder = { readonly organizationId: string; readonly userId: string; readonly clientId: string };
type Key = Holder & { readonly key: string };
type Claim = Key & { readonly operation: string; readonly hash: Buffer };
type Kept = { readonly operation: string; readonly hash: Uint8Array; readonly sealed: Uint8Array | null };

const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Tokens come and go; the client and the person remain. */
function holderOf({ organizationId, userId, clientId }: Viewer): Holder {
  return { organizationId, userId: userId ?? NOBODY, clientId: clientId ?? '' };
}

/** Where answers lie that are kept. */
export const SEALED_ANSWERS: SealedColumn = {
  table: 'mutation_idempotency_keys',
  column: 'sealed_answer',
  key: { organization_id: 'uuid', user_id: 'uuid', client_id: 'text', key: 'text' },
  context: ({ organization_id = '', user_id = '', client_id = '', key = '' }) =>
    sealContext({ organizationId: organization_id, userId: user_id, clientId: client_id, key }),
};

function sealContext({ organizationId, userId, clientId, key }: Key): string {
  return JSON.stringify(['mutation_idempotency_keys', organizationId, userId, clientId, key]);
}

/** Undefined: the key was free, and is taken now. Waits for a transaction that has taken it and not ended yet. */
async function claim(tx: Unit['tx'], now: Date, wanted: Claim): Promise<Kept | undefined> {
  const { organizationId, userId, clientId, key, operation, hash } = wanted;
  const expiresAt = new Date(now.getTime() + LIFETIME_MS);
  const taken = await tx.$executeRaw`
    INSERT INTO mutation_idempotency_keys AS k
      (organization_id, user_id, client_id, key, operation, request_hash, expires_at)
    VALUES (${organizationId}::uuid, ${userId}::uuid, ${clientId}, ${key}, ${operation}, ${hash}, ${expiresAt}::timestamptz)
    ON CONFLICT (organization_id, user_id, client_id, key) DO UPDATE
      SET operation = excluded.operation, request_hash = excluded.request_hash, sealed_answer = NULL,
          expires_at = excluded.expires_at
      WHERE k.expires_at <= ${now}::timestamptz`;
  if (taken === 1) return undefined;
  const [kept] = await tx.$queryRaw<Kept[]>`
    SELECT operation, request_hash AS hash, sealed_answer AS sealed FROM mutation_idempotency_keys
    WHERE organization_id = ${organizationId}::uuid AND user_id = ${userId}::uuid AND client_id = ${clientId}
      AND key = ${key}`;
  if (kept !== undefined) return kept;
  // It expired between the two statements.
  throw new AppError('UNAVAILABLE', 'The idempotency key has just expired; try again.', {
    retryAfterSeconds: 1,
  });
}

async function keep(tx: Unit['tx'], row: Key, sealed: Buffer): Promise<void> {
  const { organizationId, userId, clientId, key } = row;
  await tx.$executeRaw`
    UPDATE mutation_idempotency_keys SET sealed_answer = ${sealed}
    WHERE organization_id = ${organizationId}::uuid AND user_id = ${userId}::uuid AND client_id = ${clientId}
      AND key = ${key}`;
}

function usedOtherwise(): AppError {
  return new AppError(
    'CONFLICT',
    'The idempotency key was used for something else within the last 24 hours; use a new one.',
  );
}
