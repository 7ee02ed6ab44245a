/**
 * The SQL of an organization's consents, for its admins, under row-level security. Pages by keyset over (organization,
 * id), or over (organization, client, id) for one client.
 */
import { MAX_COUNT, type PageRequest, pageQuery } from '../lib/page.ts';

export type Consent = {
  readonly id: string;
  readonly clientId: string;
  readonly clientName: string;
  readonly userId: string;
  readonly userName: string;
  readonly userEmail: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastUsedAt: Date | null;
};

/** Both have to hold; what is left out is not asked for. */
export type ConsentFilter = {
  /** The client_id. */
  readonly clientId?: string | undefined;
  readonly userId?: string | undefined;
};

type Statement = { readonly text: string; readonly values: readonly unknown[] };

const COLUMNS = `k.id, c.client_id AS "clientId", c.name AS "clientName", u.id AS "userId", u.name AS "userName",
  u.email AS "userEmail", k.scopes, k.created_at AS "createdAt", k.updated_at AS "updatedAt",
  (SELECT max(g.last_used_at) FROM oauth_grants g
   WHERE g.user_id = k.user_id AND g.organization_id = k.organization_id AND g.client_ref = k.client_ref) AS "lastUsedAt"`;
const TABLES = `oauth_consents k
  JOIN oauth_clients c ON c.organization_id = k.organization_id AND c.id = k.client_ref
  JOIN users u ON u.id = k.user_id`;

// The client is looked up on its own, so that the page is read along the index of its consents.
const MATCHES = `k.organization_id = $1::uuid
  AND ($2::text IS NULL OR k.client_ref = (
    SELECT id FROM oauth_clients WHERE organization_id = $1::uuid AND client_id = $2::text))
  AND ($3::uuid IS NULL OR k.user_id = $3::uuid)`;

/** A page, and one row more. */
export function selectConsents(organizationId: string, filter: ConsentFilter, page: PageRequest): Statement {
  const { id, take, order } = pageQuery(page);
  const direction = order === 'asc' ? 'ASC' : 'DESC';
  return {
    text: `SELECT ${COLUMNS} FROM ${TABLES}
           WHERE ${MATCHES} AND ($4::uuid IS NULL OR k.id < $4::uuid) AND ($5::uuid IS NULL OR k.id > $5::uuid)
           ORDER BY k.id ${direction} LIMIT $6::int`,
    values: [organizationId, ...valuesOf(filter), id.lt ?? null, id.gt ?? null, take],
  };
}

/** Up to one more than MAX_COUNT. */
export function countConsents(organizationId: string, filter: ConsentFilter): Statement {
  return {
    text: `SELECT count(*)::int AS count FROM (SELECT FROM oauth_consents k WHERE ${MATCHES} LIMIT $4::int) AS counted`,
    values: [organizationId, ...valuesOf(filter), MAX_COUNT + 1],
  };
}

export function selectConsent(organizationId: string, id: string): Statement {
  return {
    text: `SELECT ${COLUMNS} FROM ${TABLES} WHERE k.organization_id = $1::uuid AND k.id = $2::uuid`,
    values: [organizationId, id],
  };
}

export type RevokedByAdmin = {
  readonly clientRef: string;
  readonly name: string;
  readonly email: string;
  readonly scopes: readonly string[];
};

/** A row: there was one. */
export function deleteConsent(organizationId: string, id: string): Statement {
  return {
    text: `DELETE FROM oauth_consents k USING oauth_clients c, users u
           WHERE k.organization_id = $1::uuid AND k.id = $2::uuid
             AND c.organization_id = k.organization_id AND c.id = k.client_ref AND u.id = k.user_id
           RETURNING k.client_ref AS "clientRef", c.name, u.email, k.scopes`,
    values: [organizationId, id],
  };
}

export type RevokedTogether = {
  readonly clientRef: string;
  readonly name: string;
  /** Of how many people. */
  readonly count: number;
};

/** A row: there is such a client. */
export function deleteConsentsOfClient(organizationId: string, clientId: string): Statement {
  return {
    text: `WITH client AS (
             SELECT id, name FROM oauth_clients WHERE organization_id = $1::uuid AND client_id = $2::text),
           gone AS (
             DELETE FROM oauth_consents k USING client
             WHERE k.organization_id = $1::uuid AND k.client_ref = client.id RETURNING 1)
           SELECT client.id AS "clientRef", client.name, (SELECT count(*)::int FROM gone) AS count FROM client`,
    values: [organizationId, clientId],
  };
}

function valuesOf({ clientId, userId }: ConsentFilter): readonly [string | null, string | null] {
  return [clientId ?? null, userId ?? null];
}
