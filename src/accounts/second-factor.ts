/**
 * The second factor: codes of an authenticator app (TOTP, RFC 6238) and recovery codes. The secret is sealed under the
 * master key for its user; a code of the app is taken once (RFC 6238 5.2), and so is a recovery code.
 */
import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import {
  encodeBase32,
  equalInConstantTime,
  type MasterKeys,
  seal,
  TOTP_STEP_SECONDS,
  totpCode,
  totpUri,
  unseal,
} from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';
import { inTransaction } from '../platform/database/pool.ts';
import { runOn } from '../platform/database/run.ts';
import type { SealedColumn } from '../platform/reseal.ts';
import { createRecoveryCodes, hashRecoveryCode } from './recovery-code.ts';
import {
  deleteRecoveryCodes,
  deleteSecondFactor,
  insertRecoveryCodes,
  insertSecondFactor,
  type SecondFactorRow,
  selectSecondFactor,
  takeRecoveryCode,
  takeStep,
} from './second-factor-statements.ts';

export type SecondFactorState = Pick<SecondFactorRow, 'createdAt' | 'recoveryCodesLeft'>;

/** A secret that is offered to an app, and not yet anybody's. */
export type SecretOffer = {
  /** For the form that confirms it: opened for the same user alone, within a quarter of an hour. */
  readonly sealed: string;
  /** For a QR code. */
  readonly uri: string;
  /** To be typed where there is no camera. */
  readonly text: string;
};

export type SecondFactors = {
  /** Null: the user has none. */
  readonly find: (userId: string) => Promise<SecondFactorState | null>;
  readonly offer: (user: { readonly id: string; readonly email: string }) => SecretOffer;
  /** What an offer was, to show it once more. Errors: `BAD_REQUEST` when it was not ours, or is old. */
  readonly reopen: (user: { readonly id: string; readonly email: string }, sealed: string) => SecretOffer;
  /**
   * Makes the offered secret the user's second factor, if the code shows that an app has it; answers the recovery
   * codes, which nobody can read again. Undefined: the code is wrong. Errors: `BAD_REQUEST`; `CONFLICT`.
   */
  readonly enable: (userId: string, sealed: string, code: string) => Promise<readonly string[] | undefined>;
  /** Takes a code of the app, or a recovery code; undefined when it is wrong or was taken before. */
  readonly take: (userId: string, code: string) => Promise<'app' | 'recovery' | undefined>;
  /** Ten new recovery codes in place of those there were. Errors: `CONFLICT` without a second factor. */
  readonly renewRecoveryCodes: (userId: string) => Promise<readonly string[]>;
  readonly disable: (userId: string) => Promise<void>;
};

export type SecondFactorsDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly keys: MasterKeys;
};

const ISSUER = 'Optio Connect';
/** RFC 4226 4: 160 bits are recommended. */
const SECRET_BYTES = 20;
const OFFER_MS = 15 * 60_000;
/** RFC 6238 5.2: a clock that is off by one step is put up with. */
const WINDOW = [-1, 0, 1];

type Deps = SecondFactorsDeps & { readonly run: ReturnType<typeof runOn> };

/** The second factors in a database. */
export function createSecondFactors(options: SecondFactorsDeps): SecondFactors {
  const deps: Deps = { ...options, run: runOn(options.pool) };
  return {
    find: async (userId) => {
      const { rows } = await deps.run<SecondFactorRow>(selectSecondFactor(userId));
      return rows[0] ?? null;
    },
    offer: (user) => makeOffer(deps, user),
    reopen: (user, sealed) => describeOffer(user, openOffer(deps, user.id, sealed), sealed),
    enable: (userId, sealed, code) => enable(deps, userId, { sealed, code }),
    take: (userId, code) => take(deps, userId, code),
    renewRecoveryCodes: (userId) => renewRecoveryCodes(deps, userId),
    disable: async (userId) => void (await deps.run(deleteSecondFactor(userId))),
  };
}

type OfferedTo = { readonly id: string; readonly email: string };

/** The secret travels in the form itself, sealed: what was never confirmed is never stored. */
function makeOffer({ keys, clock }: Deps, user: OfferedTo): SecretOffer {
  const secret = randomBytes(SECRET_BYTES);
  const until = Buffer.alloc(8);
  until.writeBigUInt64BE(BigInt(clock.now().getTime() + OFFER_MS));
  const sealed = seal(keys, Buffer.concat([until, secret]), offerContext(user.id)).toString('base64url');
  return describeOffer(user, secret, sealed);
}

function describeOffer({ email }: OfferedTo, secret: Buffer, sealed: string): SecretOffer {
  const text = encodeBase32(secret).replace(/(.{4})(?=.)/g, '$1 ');
  return { sealed, uri: totpUri(secret, { issuer: ISSUER, account: email }), text };
}

function openOffer({ keys, clock }: Deps, userId: string, sealed: string): Buffer {
  const opened = tryUnseal(keys, sealed, offerContext(userId));
  if (opened === undefined || Number(opened.readBigUInt64BE()) < clock.now().getTime()) {
    throw new AppError(
      'BAD_REQUEST',
      'This set-up was begun more than a quarter of an hour ago. Begin again.',
    );
  }
  return opened.subarray(8);
}

function tryUnseal(keys: MasterKeys, sealed: string, context: string): Buffer | undefined {
  try {
    return unseal(keys, Buffer.from(sealed, 'base64url'), context);
  } catch {
    // Whatever is wrong with it, it is not what we made for this user.
    return undefined;
  }
}

async function enable(
  deps: Deps,
  userId: string,
  { sealed, code }: { readonly sealed: string; readonly code: string },
): Promise<readonly string[] | undefined> {
  const secret = openOffer(deps, userId, sealed);
  const usedStep = await findStep(secret, code, deps.clock.now());
  if (usedStep === undefined) return undefined;
  const sealedSecret = seal(deps.keys, secret, secretContext(userId));
  const codes = createRecoveryCodes();
  await inTransaction(deps.pool, async (tx) => {
    const { rowCount } = await tx.query(
      insertSecondFactor(userId, { sealedSecret, usedStep }, deps.clock.now()),
    );
    if (rowCount !== 1) throw new AppError('CONFLICT', 'You have a second factor already.');
    await tx.query(insertRecoveryCodes(userId, hashesOf(codes)));
  });
  return codes;
}

async function take(deps: Deps, userId: string, code: string): Promise<'app' | 'recovery' | undefined> {
  const { run, keys, clock } = deps;
  const recoveryHash = hashRecoveryCode(code);
  if (recoveryHash !== undefined) {
    const { rowCount } = await run(takeRecoveryCode(userId, recoveryHash, clock.now()));
    return rowCount === 1 ? 'recovery' : undefined;
  }
  const { rows } = await run<SecondFactorRow>(selectSecondFactor(userId));
  if (rows[0] === undefined) return undefined;
  const secret = unseal(keys, rows[0].sealedSecret, secretContext(userId));
  const step = await findStep(secret, code, clock.now());
  if (step === undefined) return undefined;
  return (await run(takeStep(userId, step))).rowCount === 1 ? 'app' : undefined;
}

async function renewRecoveryCodes({ pool, run }: Deps, userId: string): Promise<readonly string[]> {
  const { rowCount } = await run(selectSecondFactor(userId));
  if (rowCount !== 1)
    throw new AppError('CONFLICT', 'Recovery codes belong to a second factor; set it up first.');
  const codes = createRecoveryCodes();
  await inTransaction(pool, async (tx) => {
    await tx.query(deleteRecoveryCodes(userId));
    await tx.query(insertRecoveryCodes(userId, hashesOf(codes)));
  });
  return codes;
}

/** The step that the code is of; all of the window are computed, whichever fits. */
async function findStep(secret: Buffer, code: string, now: Date): Promise<number | undefined> {
  const typed = code.replace(/\s/g, '');
  const current = Math.floor(now.getTime() / 1_000 / TOTP_STEP_SECONDS);
  const steps = WINDOW.map((offset) => current + offset);
  const codes = await Promise.all(steps.map((step) => totpCode(secret, step)));
  return steps.filter((_, index) => equalInConstantTime(codes[index] ?? '', typed)).at(-1);
}

function hashesOf(codes: readonly string[]): readonly Buffer[] {
  return codes.flatMap((code) => hashRecoveryCode(code) ?? []);
}

function offerContext(userId: string): string {
  return `second-factor-offer:${userId}`;
}

/** Where the secrets of authenticator apps lie. */
export const SEALED_SECOND_FACTORS: SealedColumn = {
  table: 'second_factors',
  column: 'sealed_secret',
  key: { user_id: 'uuid' },
  context: ({ user_id = '' }) => secretContext(user_id),
};

function secretContext(userId: string): string {
  return `second-factor:${userId}`;
}
