/** The first OAuth client of an installation: a machine client of the first organization, good for everything. */
import type { PoolClient } from 'pg';
import { SCOPES } from '../accounts/scope.ts';
import { beginning } from '../audit/difference.ts';
import { OPERATOR } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { equalInConstantTime, randomAlphanumeric, sha256 } from '../lib/crypto.ts';
import { validationError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import { type Client, isClientId } from './client.ts';
import { insertClient, insertClientSecret, selectClient, selectFirstClientId } from './statements.ts';

export type BootstrapClientOptions = {
  /** Left out: generated. */
  readonly clientId?: string;
  /** Left out: generated. */
  readonly clientSecret?: string;
};

export type BootstrappedClient = {
  readonly clientId: string;
  /** Here only when it was generated just now. */
  readonly clientSecret?: string;
  /** What an operator should read; it holds no secret. */
  readonly warnings: readonly string[];
};

type Found = Pick<Client, 'clientId' | 'secretHashes'>;

const CLIENT_ID_CHARACTERS = 20;
const CLIENT_SECRET_CHARACTERS = 43;
// RFC 6749 A.2; the bound keeps it a header's size.
const CLIENT_SECRET = /^[ -~]{1,255}$/;
// A secret is stored as a fast hash, which only randomness protects.
const SHORT_SECRET_CHARACTERS = 32;

/**
 * Answers a function that makes the client in a transaction: confidential, approved, client_credentials only, all
 * scopes. The options count only while nothing of the kind exists: a given id that exists is left as it is, and a
 * given secret that is none of its secrets is reported as a warning, not changed. A given id that does not exist is
 * created, on a later start too. Without a given id the organization's oldest client counts.
 * Errors: `VALIDATION` for an id or a secret that no client could send.
 */
export function bootstrapClient(options: BootstrapClientOptions, clock: Clock) {
  return async (
    tx: PoolClient,
    organization: { readonly id: string },
  ): Promise<{ readonly created: boolean; readonly client: BootstrappedClient }> => {
    requireUsable(options);
    const existing = await findExisting(tx, organization.id, options.clientId, clock);
    if (existing === undefined) {
      return { created: true, client: await createFirstClient(tx, organization.id, options, clock) };
    }
    const warnings = warnOfOtherSecret(existing, options.clientSecret);
    return { created: false, client: { clientId: existing.clientId, warnings } };
  };
}

async function findExisting(
  tx: PoolClient,
  organizationId: string,
  clientId: string | undefined,
  clock: Clock,
): Promise<Found | undefined> {
  const wanted = clientId ?? (await findFirstClientId(tx, organizationId));
  if (wanted === undefined) return undefined;
  const { rows } = await tx.query<Found>(selectClient(wanted, clock.now()));
  return rows[0];
}

async function findFirstClientId(tx: PoolClient, organizationId: string): Promise<string | undefined> {
  const { rows } = await tx.query<{ clientId: string }>(selectFirstClientId(organizationId));
  return rows[0]?.clientId;
}

async function createFirstClient(
  tx: PoolClient,
  organizationId: string,
  options: BootstrapClientOptions,
  clock: Clock,
): Promise<BootstrappedClient> {
  const id = newId();
  const clientId = options.clientId ?? randomAlphanumeric(CLIENT_ID_CHARACTERS);
  const generated = randomAlphanumeric(CLIENT_SECRET_CHARACTERS);
  const secret = options.clientSecret ?? generated;
  const client = {
    organizationId,
    id,
    clientId,
    name: 'First client',
    type: 'CONFIDENTIAL',
    status: 'APPROVED',
    grantTypes: ['client_credentials'],
    scopes: SCOPES.map(({ name }) => name),
    redirectUris: [],
    requiresPkce: true,
  } as const;
  await tx.query(insertClient(client, clock.now()));
  const row = { organizationId, id: newId(), clientRef: id, hash: sha256(secret) };
  await tx.query(insertClientSecret(row, clock.now()));
  await recordOn(
    tx,
    { place: { organizationId }, source: OPERATOR, now: clock.now() },
    {
      action: 'oauth_client.registered',
      target: { type: 'OAuthClient', id, label: client.name },
      changes: beginning({
        client_id: clientId,
        type: client.type,
        status: client.status,
        grant_types: client.grantTypes,
        scopes: client.scopes,
      }),
    },
  );
  if (options.clientSecret === undefined) return { clientId, clientSecret: generated, warnings: [] };
  return { clientId, warnings: warnOfShortSecret(secret) };
}

function requireUsable({ clientId, clientSecret }: BootstrapClientOptions): void {
  if (clientId !== undefined && !isClientId(clientId)) {
    const message = 'A client id has 1 to 255 visible ASCII characters, none of them %, + or :.';
    throw validationError([{ path: ['clientId'], message }]);
  }
  if (clientSecret !== undefined && !CLIENT_SECRET.test(clientSecret)) {
    const message = 'A client secret has 1 to 255 ASCII characters.';
    throw validationError([{ path: ['clientSecret'], message }]);
  }
}

function warnOfOtherSecret({ clientId, secretHashes }: Found, secret: string | undefined): readonly string[] {
  if (secret === undefined) return [];
  if (secretHashes.some((hash) => equalInConstantTime(hash, sha256(secret)))) return [];
  return [`The given secret is none of client ${clientId}'s; the client was not changed.`];
}

function warnOfShortSecret(secret: string): readonly string[] {
  if (secret.length >= SHORT_SECRET_CHARACTERS) return [];
  return [`The given client secret is shorter than ${SHORT_SECRET_CHARACTERS} characters; use a random one.`];
}
