/** The SQL of second factors: by primary key, each. What may happen once is one conditional statement. */
import type { QueryConfig } from 'pg';

/** No row when the user has a second factor already. */
export function insertSecondFactor(
  userId: string,
  { sealedSecret, usedStep }: { readonly sealedSecret: Buffer; readonly usedStep: number },
  now: Date,
): QueryConfig {
  return {
    text: `INSERT INTO second_factors (user_id, sealed_secret, last_used_step, created_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (user_id) DO NOTHING`,
    values: [userId, sealedSecret, usedStep, now],
  };
}

export type SecondFactorRow = {
  readonly sealedSecret: Buffer;
  readonly createdAt: Date;
  readonly recoveryCodesLeft: number;
};

export function selectSecondFactor(userId: string): QueryConfig {
  return {
    text: `SELECT f.sealed_secret AS "sealedSecret", f.created_at AS "createdAt",
             (SELECT count(*)::int FROM recovery_codes c WHERE c.user_id = f.user_id AND c.used_at IS NULL)
               AS "recoveryCodesLeft"
           FROM second_factors f WHERE f.user_id = $1`,
    values: [userId],
  };
}

/** No row when a code of this step, or of a later one, was used before. */
export function takeStep(userId: string, step: number): QueryConfig {
  return {
    text: 'UPDATE second_factors SET last_used_step = $2 WHERE user_id = $1 AND last_used_step < $2',
    values: [userId, step],
  };
}

/** No row when there is no such code, or it was used before. */
export function takeRecoveryCode(userId: string, hash: Buffer, now: Date): QueryConfig {
  return {
    text: 'UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL',
    values: [userId, hash, now],
  };
}

/** Takes the place of all recovery codes of the user. */
export function deleteRecoveryCodes(userId: string): QueryConfig {
  return { text: 'DELETE FROM recovery_codes WHERE user_id = $1', values: [userId] };
}

export function insertRecoveryCodes(userId: string, hashes: readonly Buffer[]): QueryConfig {
  return {
    text: 'INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])',
    values: [userId, hashes],
  };
}

/** Its recovery codes go with it. */
export function deleteSecondFactor(userId: string): QueryConfig {
  return { text: 'DELETE FROM second_factors WHERE user_id = $1', values: [userId] };
}
