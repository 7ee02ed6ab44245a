/** Clients as those see them who manage them: what is in force, what waits, and which secrets are valid. */
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { searchable } from '../lib/text.ts';
import type { Queryable } from '../platform/database/pool.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import {
  type ClientFilter,
  countClientRecords,
  lockClient,
  type NewClientRow,
  type Statement,
  selectClientRecords,
} from './client-record-statements.ts';
import type { ClientSettings } from './client-settings.ts';

/** A valid secret; what it is, nobody can see any more. */
export type ClientSecretInfo = {
  readonly id: string;
  readonly createdAt: Date;
  /** The end of the overlap; null for the newest. */
  readonly expiresAt: Date | null;
};

export type ClientRecord = NewClientRow & {
  readonly organizationName: string;
  /** A suspension that only a platform admin lifts. */
  readonly isSuspendedByPlatform: boolean;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Newest first. */
  readonly secrets: readonly ClientSecretInfo[];
};

/** Runs a statement for its rows: in a tenant's transaction, or in the platform's name. */
export type Select = <R>(statement: Statement) => Promise<R[]>;

/** In a transaction of an organization, whose policies hold. */
export function asTenant(tx: Tx): Select {
  return <R>({ text, values }: Statement) => tx.$queryRawUnsafe<R[]>(text, ...values);
}

/** On a connection of the authorization server. */
export function asPlatform(db: Queryable): Select {
  return async <R>(statement: Statement) => (await db.query(statement)).rows as R[]; // As the statement selects.
}

/** A page of clients, newest first. */
export async function readClients(
  select: Select,
  filter: ClientFilter,
  page: PageRequest,
  now: Date,
): Promise<Page<ClientRecord>> {
  const rows = await select<FlatRow>(selectClientRecords(filter, pageQuery(page), now));
  return toPage(rows.map(toRecord), page);
}

/** How many `readClients` would list. */
export async function countClients(select: Select, filter: ClientFilter): Promise<Count> {
  const [row] = await select<{ count: number }>(countClientRecords(filter, MAX_COUNT + 1));
  return toCount(row?.count ?? 0);
}

export type ClientKey = Pick<ClientFilter, 'organizationId'> &
  ({ readonly id: string } | { readonly clientId: string });

/** The client; null when there is none. */
export async function findClient(select: Select, key: ClientKey, now: Date): Promise<ClientRecord | null> {
  if ('id' in key && !isUuid(key.id)) return null;
  const filter = 'clientId' in key ? { ...key, clientId: searchable(key.clientId) } : key;
  const [row] = await select<FlatRow>(selectClientRecords(filter, { id: {}, take: 1, order: 'desc' }, now));
  return row === undefined ? null : toRecord(row);
}

/** The same; `NOT_FOUND` when there is none, or it is another organization's. */
export async function requireClient(select: Select, key: ClientKey, now: Date): Promise<ClientRecord> {
  const client = await findClient(select, key, now);
  if (client !== null) return client;
  const named = 'id' in key ? key.id : key.clientId;
  throw new AppError('NOT_FOUND', `There is no OAuth client ${JSON.stringify(named.slice(0, 200))}.`);
}

/** The same, locked until the transaction ends. Refuses (`CONFLICT`, naming the present one) another version. */
export async function requireLockedClient(
  select: Select,
  key: { readonly organizationId?: string; readonly id: string },
  { now, expectedVersion }: { readonly now: Date; readonly expectedVersion: number | undefined },
): Promise<ClientRecord> {
  if (isUuid(key.id)) await select(lockClient(key));
  const client = await requireClient(select, key, now);
  const { id, version } = client;
  if (expectedVersion === undefined || expectedVersion === version) return client;
  const message = `The OAuth client was changed meanwhile: it has version ${version}, not ${expectedVersion}.`;
  throw new AppError('CONFLICT', message, { currentVersion: version, current: { type: 'OAuthClient', id } });
}

type FlatRow = Omit<ClientRecord, 'inForce' | 'request' | 'secrets'> &
  ClientSettings & {
    readonly requestedAt: Date | null;
    readonly requestedScopes: readonly string[] | null;
    readonly requestedRedirectUris: readonly string[] | null;
    readonly requestedGrantTypes: readonly string[] | null;
    readonly requestedRequiresPkce: boolean | null;
    readonly secrets: readonly { id: string; createdAt: string; expiresAt: string | null }[];
  };

function toRecord(row: FlatRow): ClientRecord {
  const { scopes, redirectUris, grantTypes, requiresPkce, requestedAt, requestedScopes, ...rest } = row;
  const { requestedRedirectUris, requestedGrantTypes, requestedRequiresPkce, secrets, ...client } = rest;
  return {
    ...client,
    inForce: { scopes, redirectUris, grantTypes, requiresPkce },
    request:
      requestedAt === null
        ? null
        : {
            requestedAt,
            scopes: requestedScopes ?? [],
            redirectUris: requestedRedirectUris ?? [],
            grantTypes: requestedGrantTypes ?? [],
            requiresPkce: requestedRequiresPkce ?? true,
          },
    secrets: secrets.map(({ id, createdAt, expiresAt }) => ({
      id,
      createdAt: new Date(createdAt),
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
    })),
  };
}
