/** The SQL of clients as those see them who manage them. The same for a tenant, whom policies bound, and for the platform. */
import type { Client } from './client.ts';
import type { ClientSettings } from './client-settings.ts';

export type Statement = { readonly text: string; readonly values: unknown[] };

export type ClientFilter = {
  /** Left out: of all organizations. */
  readonly organizationId?: string | undefined;
  readonly id?: string | undefined;
  readonly clientId?: string | undefined;
  readonly status?: Client['status'] | undefined;
  /** Those that a platform admin has to decide about; or the others. */
  readonly awaitsReview?: boolean | undefined;
};

export type ClientWindow = {
  readonly id: { readonly lt?: string; readonly gt?: string };
  readonly take: number;
  readonly order: 'asc' | 'desc';
};

const AWAITS_REVIEW = `(c.requested_at IS NOT NULL AND c.status <> 'REJECTED')`;

const COLUMNS = `c.organization_id AS "organizationId", o.name AS "organizationName", c.id, c.client_id AS "clientId",
  c.name, c.type, c.status, c.status_reason AS "statusReason", c.suspended_by_platform AS "isSuspendedByPlatform",
  c.preset, c.homepage_url AS "homepageUrl", c.policy_url AS "policyUrl", c.version, c.created_at AS "createdAt",
  c.updated_at AS "updatedAt", coalesce(c.scopes, '{}') AS scopes, coalesce(c.redirect_uris, '{}') AS "redirectUris",
  coalesce(c.grant_types, '{}') AS "grantTypes", c.requires_pkce AS "requiresPkce", c.requested_at AS "requestedAt",
  c.requested_scopes AS "requestedScopes", c.requested_redirect_uris AS "requestedRedirectUris",
  c.requested_grant_types AS "requestedGrantTypes", c.requested_requires_pkce AS "requestedRequiresPkce"`;

/** A window of clients by their ids: by primary key for one organization, by the index on id for all. */
export function selectClientRecords(
  filter: ClientFilter,
  { id, take, order }: ClientWindow,
  now: Date,
): Statement {
  const { conditions, values } = where(filter);
  const at = (value: unknown): string => `$${values.push(value)}`;
  if (id.lt !== undefined) conditions.push(`c.id < ${at(id.lt)}::uuid`);
  if (id.gt !== undefined) conditions.push(`c.id > ${at(id.gt)}::uuid`);
  const valid = `s.expires_at IS NULL OR s.expires_at > ${at(now)}::timestamptz`;
  return {
    text: `SELECT ${COLUMNS},
        coalesce((SELECT json_agg(json_build_object('id', s.id, 'createdAt', s.created_at, 'expiresAt', s.expires_at)
            ORDER BY s.id DESC) FROM oauth_client_secrets s
          WHERE s.organization_id = c.organization_id AND s.client_ref = c.id AND (${valid})), '[]') AS secrets
      FROM oauth_clients c JOIN organizations o ON o.id = c.organization_id
      WHERE ${conditions.join(' AND ')} ORDER BY c.id ${order} LIMIT ${at(take)}::int`,
    values,
  };
}

/** How many there are, up to `most`. */
export function countClientRecords(filter: ClientFilter, most: number): Statement {
  const { conditions, values } = where(filter);
  values.push(most);
  return {
    text: `SELECT count(*)::int AS count FROM (
        SELECT FROM oauth_clients c WHERE ${conditions.join(' AND ')} LIMIT $${values.length}::int) AS counted`,
    values,
  };
}

/** Locks the row to the end of the transaction, so that two decisions follow one another. */
export function lockClient(filter: Pick<ClientFilter, 'organizationId' | 'id'>): Statement {
  const { conditions, values } = where(filter);
  return { text: `SELECT FROM oauth_clients c WHERE ${conditions.join(' AND ')} FOR NO KEY UPDATE`, values };
}

function where({ organizationId, id, clientId, status, awaitsReview }: ClientFilter) {
  const values: unknown[] = [];
  const at = (value: unknown): string => `$${values.push(value)}`;
  const conditions = ['true'];
  if (organizationId !== undefined) conditions.push(`c.organization_id = ${at(organizationId)}::uuid`);
  if (id !== undefined) conditions.push(`c.id = ${at(id)}::uuid`);
  if (clientId !== undefined) conditions.push(`c.client_id = ${at(clientId)}`);
  if (status !== undefined) conditions.push(`c.status = ${at(status)}::"OAuthClientStatus"`);
  if (awaitsReview !== undefined) conditions.push(awaitsReview ? AWAITS_REVIEW : `NOT ${AWAITS_REVIEW}`);
  return { conditions, values };
}

export type ClientRow = {
  readonly organizationId: string;
  readonly id: string;
  readonly name: string;
  readonly status: Client['status'];
  readonly statusReason: string | null;
  readonly homepageUrl: string | null;
  readonly policyUrl: string | null;
  readonly inForce: ClientSettings;
  readonly request: (ClientSettings & { readonly requestedAt: Date }) | null;
};

export type NewClientRow = ClientRow & {
  readonly clientId: string;
  readonly type: Client['type'];
  readonly preset: string;
};

/** Adds a client; in the name of an organization it is one that waits. */
export function insertClientRow(client: NewClientRow, now: Date): Statement {
  const { clientId, type, preset } = client;
  return {
    text: `INSERT INTO oauth_clients (organization_id, id, ${SET.names}, updated_at, created_at, client_id, type, preset)
      VALUES ($1::uuid, $2::uuid, ${SET.places}, $17::timestamptz, $17::timestamptz, $18::text, $19::"OAuthClientType", $20::text)`,
    values: [...valuesOf(client, now), clientId, type, preset],
  };
}

/** Writes what a client is now, and counts its version. */
export function updateClientRow(client: ClientRow, now: Date): Statement {
  return {
    text: `UPDATE oauth_clients SET (${SET.names}, updated_at, version) = (${SET.places}, $17::timestamptz, version + 1)
      WHERE organization_id = $1::uuid AND id = $2::uuid`,
    values: valuesOf(client, now),
  };
}

const SET = {
  names: `name, homepage_url, policy_url, status, status_reason, scopes, redirect_uris, grant_types, requires_pkce,
    requested_at, requested_scopes, requested_redirect_uris, requested_grant_types, requested_requires_pkce`,
  places: `$3::text, $4::text, $5::text, $6::"OAuthClientStatus", $7::text, $8::text[], $9::text[], $10::text[], $11::boolean,
    $12::timestamptz, $13::text[], $14::text[], $15::text[], $16::boolean`,
} as const;

function valuesOf(client: ClientRow, now: Date): unknown[] {
  const { inForce, request } = client;
  return [
    client.organizationId,
    client.id,
    client.name,
    client.homepageUrl,
    client.policyUrl,
    client.status,
    client.statusReason,
    inForce.scopes,
    inForce.redirectUris,
    inForce.grantTypes,
    inForce.requiresPkce,
    request?.requestedAt ?? null,
    request?.scopes ?? null,
    request?.redirectUris ?? null,
    request?.grantTypes ?? null,
    request?.requiresPkce ?? null,
    now,
  ];
}

/** Only the platform's own login may. */
export function markSuspendedByPlatform(
  client: Pick<ClientRow, 'organizationId' | 'id'>,
  is: boolean,
): Statement {
  return {
    text: 'UPDATE oauth_clients SET suspended_by_platform = $3::boolean WHERE organization_id = $1::uuid AND id = $2::uuid',
    values: [client.organizationId, client.id, is],
  };
}
