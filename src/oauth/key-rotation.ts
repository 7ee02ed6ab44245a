/**
 * How the key that signs access tokens is followed by another (oauth rule 59): the next one is published before it
 * signs, so that whoever verifies tokens knows it by then; the one before stays published until the last token that it
 * signed has expired. All of it under one lock, so that of several processes one acts and the others find it done.
 */
import { beginning } from '../audit/difference.ts';
import { type AuditSource, PLATFORM, SYSTEM } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import { ACCESS_TOKEN_TTL_SECONDS } from './access-token.ts';
import {
  generateSigningKey,
  REFRESH_MS,
  type SigningKeysDeps,
  type StoredKey,
  selectKeys,
} from './signing-key.ts';
import {
  deleteRetiredSigningKeys,
  insertSigningKey,
  lockSigningKeys,
  retireSigningKeys,
  setSigningKeyBegin,
} from './statements.ts';

export type KeyRotationDeps = SigningKeysDeps;

/** The key that signs from then on. */
export type Rotation = { readonly kid: string; readonly signsFrom: Date };

const DAY_MS = 86_400_000;
/** A key signs for so long. */
export const SIGNING_KEY_MS = 90 * DAY_MS;
/** It is published so long before, by schedule. */
export const PUBLISHED_AHEAD_MS = DAY_MS;
/** The least that it is published before: twice what our own answers let others keep, and our processes' own copies. */
export const LEAST_AHEAD_MS = 10 * 60_000;
/** A key stays published so long after the next one signs: its last token, copies that are a minute old, and clocks. */
export const OVERLAP_MS = ACCESS_TOKEN_TTL_SECONDS * 1_000 + REFRESH_MS + LEAST_AHEAD_MS;

/** Makes the next key when its time is near, and deletes those that ended. For a scheduled job; safe to repeat. */
export async function keepSigningKeys(deps: KeyRotationDeps): Promise<Rotation | undefined> {
  return underLock(deps, async (tx, now, newestFirst) => {
    await tx.query(deleteRetiredSigningKeys(now));
    const [newest] = newestFirst;
    // The first one is made when it is needed.
    if (
      newest === undefined ||
      newest.signsFrom.getTime() + SIGNING_KEY_MS - PUBLISHED_AHEAD_MS > now.getTime()
    )
      return undefined;
    return replace(deps, tx, { now, signsFrom: later(now, PUBLISHED_AHEAD_MS), source: SYSTEM });
  });
}

/**
 * Has another key sign within ten minutes; one that waits for its time already comes sooner. Safe to repeat.
 * `endTokens`: the keys may have been stolen. A new one signs at once, no other is published any more, and the tokens
 * they signed are refused within a minute.
 */
export async function rotateSigningKey(
  deps: KeyRotationDeps,
  { source, endTokens }: { readonly source: AuditSource; readonly endTokens: boolean },
): Promise<Rotation> {
  return underLock(deps, async (tx, now, newestFirst) => {
    if (endTokens) return replace(deps, tx, { now, signsFrom: now, source, overlapMs: 0 });
    const signsFrom = later(now, LEAST_AHEAD_MS);
    const [newest] = newestFirst;
    if (newest === undefined || newest.signsFrom <= now) return replace(deps, tx, { now, signsFrom, source });
    if (newest.signsFrom <= signsFrom) return newest;
    await tx.query(setSigningKeyBegin(newest.kid, signsFrom));
    await record(tx, { now, source }, 'signing_key.hastened', { kid: newest.kid, signs_from: signsFrom });
    await retire(tx, { now, source, kid: newest.kid, at: later(signsFrom, OVERLAP_MS) });
    return { kid: newest.kid, signsFrom };
  });
}

type Replacement = {
  readonly now: Date;
  readonly signsFrom: Date;
  readonly source: AuditSource;
  readonly overlapMs?: number;
};

async function replace(
  deps: KeyRotationDeps,
  tx: Queryable,
  { now, signsFrom, source, overlapMs = OVERLAP_MS }: Replacement,
): Promise<Rotation> {
  const key = await generateSigningKey(deps, signsFrom);
  await tx.query(insertSigningKey(key, now));
  const { kid, algorithm } = key;
  await record(tx, { now, source }, 'signing_key.created', { kid, algorithm, signs_from: signsFrom });
  await retire(tx, { now, source, kid, at: later(signsFrom, overlapMs) });
  return { kid, signsFrom };
}

/** Gives every other key an end. */
async function retire(
  tx: Queryable,
  {
    now,
    source,
    kid,
    at,
  }: { readonly now: Date; readonly source: AuditSource; readonly kid: string; readonly at: Date },
): Promise<void> {
  const { rows } = await tx.query<{ kid: string }>(retireSigningKeys(kid, at));
  for (const row of rows)
    await record(tx, { now, source }, 'signing_key.retired', { kid: row.kid, retires_at: at });
}

async function record(
  tx: Queryable,
  { now, source }: { readonly now: Date; readonly source: AuditSource },
  action: 'signing_key.created' | 'signing_key.hastened' | 'signing_key.retired',
  { kid, ...changes }: { readonly kid: string } & Readonly<Record<string, unknown>>,
): Promise<void> {
  const act = { action, target: { type: 'SigningKey', id: kid }, changes: beginning(changes) } as const;
  await recordOn(tx, { place: { organizationId: PLATFORM }, source, now }, act);
}

async function underLock<T>(
  { pool, clock }: KeyRotationDeps,
  act: (tx: Queryable, now: Date, newestFirst: readonly StoredKey[]) => Promise<T>,
): Promise<T> {
  return inTransaction(pool, async (tx) => {
    await tx.query(lockSigningKeys());
    const now = clock.now();
    return act(tx, now, await selectKeys(tx, now));
  });
}

function later(time: Date, ms: number): Date {
  return new Date(time.getTime() + ms);
}
