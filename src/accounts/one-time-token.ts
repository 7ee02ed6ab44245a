/**
 * One-time tokens: what a link in a mail carries. 256 random bits, kept as SHA-256, good for one purpose, for a time,
 * once. Only the authorization server's database role can make or see them.
 */
import type { QueryConfig } from 'pg';
import { randomAlphanumeric, sha256 } from '../lib/crypto.ts';
import { inBatches } from '../platform/database/in-batches.ts';
import type { Queryable } from '../platform/database/pool.ts';

/** What a token is good for: to accept an invitation (its subject), or to give a user (its subject) a new password. */
export type OneTimePurpose = 'INVITATION' | 'PASSWORD_RESET';

export type TokenSubject = { readonly purpose: OneTimePurpose; readonly subjectId: string };

/** 43 of 62 characters hold 256 bits. */
const TOKEN_CHARACTERS = 43;
const TOKEN = /^[A-Za-z0-9]{43}$/;

/**
 * Makes a token; the one before it, of the same purpose and subject, is good for nothing from then on.
 * Null when that one was made at `notSince` or later: then nothing is made, and it stays good.
 */
export async function issueToken(
  db: Queryable,
  { purpose, subjectId }: TokenSubject,
  times: { readonly now: Date; readonly expiresAt: Date; readonly notSince?: Date },
): Promise<string | null> {
  const token = randomAlphanumeric(TOKEN_CHARACTERS);
  const { rowCount } = await db.query(upsertToken(purpose, subjectId, sha256(token), times));
  return rowCount === 1 ? token : null;
}

/** The subject of a token that is still good; null for any other text. Leaves the token as it is. */
export async function findToken(
  db: Queryable,
  purpose: OneTimePurpose,
  token: string,
  now: Date,
): Promise<string | null> {
  if (!TOKEN.test(token)) return null;
  const { rows } = await db.query<{ subjectId: string }>(selectToken(purpose, sha256(token), now));
  return rows[0]?.subjectId ?? null;
}

/** Uses a token up and answers its subject; null when it was not good (any more). Of several at once, one gets it. */
export async function consumeToken(
  db: Queryable,
  purpose: OneTimePurpose,
  token: string,
  now: Date,
): Promise<string | null> {
  if (!TOKEN.test(token)) return null;
  const { rows } = await db.query<{ subjectId: string }>(updateToConsume(purpose, sha256(token), now));
  return rows[0]?.subjectId ?? null;
}

/** Deletes a bounded number of tokens that expired a while ago. */
export async function deleteExpiredTokens(db: Queryable, before: Date, limit: number): Promise<number> {
  return inBatches(db, deleteTokens(before, limit), limit);
}

function upsertToken(
  purpose: OneTimePurpose,
  subjectId: string,
  hash: Buffer,
  { now, expiresAt, notSince }: { readonly now: Date; readonly expiresAt: Date; readonly notSince?: Date },
): QueryConfig {
  return {
    text: `INSERT INTO one_time_tokens AS t (purpose, subject_id, hash, created_at, expires_at)
           VALUES ($1::"OneTimePurpose", $2, $3, $4, $5)
           ON CONFLICT (purpose, subject_id) DO UPDATE
             SET hash = excluded.hash, created_at = excluded.created_at, expires_at = excluded.expires_at, consumed_at = NULL
             WHERE $6::timestamptz IS NULL OR t.created_at < $6`,
    values: [purpose, subjectId, hash, now, expiresAt, notSince ?? null],
  };
}

const IS_GOOD = 'hash = $2 AND purpose = $1::"OneTimePurpose" AND consumed_at IS NULL AND expires_at > $3';

function selectToken(purpose: OneTimePurpose, hash: Buffer, now: Date): QueryConfig {
  return {
    text: `SELECT subject_id AS "subjectId" FROM one_time_tokens WHERE ${IS_GOOD}`,
    values: [purpose, hash, now],
  };
}

function updateToConsume(purpose: OneTimePurpose, hash: Buffer, now: Date): QueryConfig {
  return {
    text: `UPDATE one_time_tokens SET consumed_at = $3 WHERE ${IS_GOOD} RETURNING subject_id AS "subjectId"`,
    values: [purpose, hash, now],
  };
}

function deleteTokens(before: Date, limit: number): QueryConfig {
  return {
    // Materialized: a join may run a subquery, and its limit, once for each row.
    text: `WITH old AS MATERIALIZED (SELECT purpose, subject_id FROM one_time_tokens WHERE expires_at < $1 LIMIT $2)
           DELETE FROM one_time_tokens t USING old WHERE (t.purpose, t.subject_id) = (old.purpose, old.subject_id)`,
    values: [before, limit],
  };
}
