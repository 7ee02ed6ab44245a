/**
 * The keys that sign access tokens: made on first need, shared by all processes through the database, the private
 * half sealed under MASTER_KEY. The newest whose time has come signs; all that are not retired are published.
 * How one follows another is in key-rotation.ts.
 */
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
} from 'jose';
import type { Pool } from 'pg';
import { beginning } from '../audit/difference.ts';
import { PLATFORM, SYSTEM } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { type MasterKeys, seal, unseal } from '../lib/crypto.ts';
import { inTransaction, type Queryable } from '../platform/database/pool.ts';
import type { SealedColumn } from '../platform/reseal.ts';
import { insertSigningKey, lockSigningKeys, type NewSigningKey, selectSigningKeys } from './statements.ts';

/** What a key may be for (RFC 7518 3.1), the usual one first. A token that names another than its key is refused. */
export const SIGNING_ALGORITHMS = ['ES256', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

export type SigningKeys = {
  /** The key that signs now. Makes the first one when there is none. */
  readonly current: () => Promise<Signer>;
  /** The public key named `kid`; undefined when no such key for this algorithm is published. */
  readonly find: (kid: string, algorithm: string) => Promise<CryptoKey | undefined>;
  /** What is published (RFC 7517 5): the public halves of all keys that are not retired. */
  readonly jwks: () => Promise<JSONWebKeySet>;
};

export type Signer = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: CryptoKey;
};

export type SigningKeysDeps = {
  readonly pool: Pool;
  readonly masterKeys: MasterKeys;
  readonly clock: Clock;
  /** Of the next key that is made; those that are there keep theirs. ES256 if left out. */
  readonly signingAlgorithm?: SigningAlgorithm;
};

/** A key that is not retired. */
export type StoredKey = {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  /** As it is published: with kid, alg and use. */
  readonly publicJwk: JWK;
  readonly sealedPrivate: Buffer;
  readonly signsFrom: Date;
  readonly retiresAt: Date | null;
};

/** Where their private halves lie. */
export const SEALED_SIGNING_KEYS: SealedColumn = {
  table: 'signing_keys',
  column: 'sealed_private',
  key: { id: 'text' },
  context: ({ id = '' }) => id,
};

type Loaded = { readonly keys: readonly StoredKey[]; readonly at: number };

/** How long a change of the table may go unnoticed: shorter than a new key is published before it signs. */
export const REFRESH_MS = 60_000;
// A made-up kid costs a query at most this often.
const UNKNOWN_KID_REFRESH_MS = 5_000;

/** The keys of this database, read at first need, once a minute, and when a kid appears that is not known. */
export function createSigningKeys(deps: SigningKeysDeps): SigningKeys {
  const { clock } = deps;
  const imported = createImportCache(deps.masterKeys);
  let held: Loaded | undefined;
  let reading: Promise<Loaded> | undefined;

  const load = async (maxAgeMs: number): Promise<readonly StoredKey[]> => {
    const now = clock.now();
    if (held === undefined || now.getTime() - held.at >= maxAgeMs) {
      // One read serves all who ask meanwhile.
      reading ??= readKeys(deps, now).finally(() => {
        reading = undefined;
      });
      held = await reading;
    }
    return held.keys.filter((key) => key.retiresAt === null || key.retiresAt > now);
  };

  return {
    current: async () => {
      const key = chooseSigner(await load(REFRESH_MS), clock.now());
      const { kid, algorithm } = key;
      return { kid, algorithm, privateKey: await imported.privateKey(key) };
    },
    find: async (kid, algorithm) => {
      const isNamed = (key: StoredKey): boolean => key.kid === kid && key.algorithm === algorithm;
      const key =
        (await load(REFRESH_MS)).find(isNamed) ?? (await load(UNKNOWN_KID_REFRESH_MS)).find(isNamed);
      return key && imported.publicKey(key);
    },
    jwks: async () => ({ keys: (await load(REFRESH_MS)).map(({ publicJwk }) => publicJwk) }),
  };
}

async function readKeys(deps: SigningKeysDeps, now: Date): Promise<Loaded> {
  const keys = await selectKeys(deps.pool, now);
  return { keys: keys.length > 0 ? keys : await makeFirstKey(deps, now), at: now.getTime() };
}

/** Under a lock, so that of several processes one makes the key and the others read it. */
async function makeFirstKey(deps: SigningKeysDeps, now: Date): Promise<readonly StoredKey[]> {
  return inTransaction(deps.pool, async (tx) => {
    await tx.query(lockSigningKeys());
    const keys = await selectKeys(tx, now);
    if (keys.length > 0) return keys;
    const key = await generateSigningKey(deps, now);
    await tx.query(insertSigningKey(key));
    await recordOn(
      tx,
      { place: { organizationId: PLATFORM }, source: SYSTEM, now },
      {
        action: 'signing_key.created',
        target: { type: 'SigningKey', id: key.kid },
        changes: beginning({ algorithm: key.algorithm, signs_from: key.signsFrom }),
      },
    );
    return selectKeys(tx, now);
  });
}

/** All that are not retired, newest first. */
export async function selectKeys(db: Queryable, now: Date): Promise<readonly StoredKey[]> {
  const { rows } = await db.query<StoredKey>(selectSigningKeys(now));
  return rows;
}

/** A key pair to be; it counts once it is stored. */
export async function generateSigningKey(
  { masterKeys, signingAlgorithm = 'ES256' }: Pick<SigningKeysDeps, 'masterKeys' | 'signingAlgorithm'>,
  signsFrom: Date,
): Promise<NewSigningKey> {
  const pair = await generateKeyPair(signingAlgorithm, { extractable: true });
  const coordinates = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(coordinates);
  const publicJwk = { ...coordinates, kid, alg: signingAlgorithm, use: 'sig' };
  const privateJwk = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
  const sealedPrivate = seal(masterKeys, privateJwk, kid);
  return { kid, algorithm: signingAlgorithm, publicJwk, sealedPrivate, signsFrom };
}

/** The newest whose time has come; where clocks disagree so far that none has, the one whose time comes first. */
function chooseSigner(newestFirst: readonly StoredKey[], now: Date): StoredKey {
  const signer = newestFirst.find((key) => key.signsFrom <= now) ?? newestFirst.at(-1);
  if (signer === undefined) throw new Error('There is no signing key, although one was just made or read.');
  return signer;
}

/** Turns stored keys into usable ones, each once. Grows with the number of keys, a handful over months. */
function createImportCache(masterKeys: MasterKeys) {
  const publicKeys = new Map<string, Promise<CryptoKey>>();
  const privateKeys = new Map<string, Promise<CryptoKey>>();
  return {
    publicKey: ({ kid, algorithm, publicJwk }: StoredKey) =>
      memoize(publicKeys, kid, () => importKey(publicJwk, algorithm)),
    privateKey: ({ kid, algorithm, sealedPrivate }: StoredKey) =>
      memoize(privateKeys, kid, async () => {
        // What was sealed is what exportJWK made of a private key.
        const jwk = JSON.parse(unseal(masterKeys, sealedPrivate, kid).toString()) as JWK;
        return importKey(jwk, algorithm);
      }),
  };
}

function memoize<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const held = known.get(key) ?? make();
  known.set(key, held);
  return held;
}

async function importKey(jwk: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new Error('A signing key is symmetric; a key pair is expected.');
  return key;
}
