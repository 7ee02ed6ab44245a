/** The SQL of consents as people and admins see them, and of taking them back; grants end with them by a trigger. */
import type { QueryConfig } from 'pg';
import type { Client } from './client.ts';

/** An app that a person has connected: a consent, and what it is for. */
export type ConnectedApp = {
  /** Of the consent. */
  readonly id: string;
  readonly organizationId: string;
  readonly organizationName: string;
  /** The client's row and its client_id. */
  readonly clientRef: string;
  readonly clientId: string;
  readonly name: string;
  readonly homepageUrl: string | null;
  readonly status: Client['status'];
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  /** When it last fetched a token, about once an hour while it is used; null: never yet, or so long ago that nothing tells. */
  readonly lastUsedAt: Date | null;
};

const LAST_USE = `(SELECT max(g.last_used_at) FROM oauth_grants g
  WHERE g.user_id = k.user_id AND g.organization_id = k.organization_id AND g.client_ref = k.client_ref)`;

/** In all organizations, newest first. Few for a person; by the index of consents that begins with it. */
export function selectConnectedApps(userId: string, limit: number): QueryConfig {
  return {
    name: 'oauth_connected_apps',
    text: `SELECT k.id, k.organization_id AS "organizationId", o.name AS "organizationName", k.client_ref AS "clientRef",
             c.client_id AS "clientId", c.name, c.homepage_url AS "homepageUrl", c.status, k.scopes,
             k.created_at AS "createdAt", ${LAST_USE} AS "lastUsedAt"
           FROM oauth_consents k
           JOIN oauth_clients c ON c.organization_id = k.organization_id AND c.id = k.client_ref
           JOIN organizations o ON o.id = k.organization_id
           WHERE k.user_id = $1 ORDER BY k.id DESC LIMIT $2`,
    values: [userId, limit],
  };
}

export type RevokedConsent = Pick<ConnectedApp, 'organizationId' | 'clientRef' | 'name' | 'scopes'>;

/** Takes back one consent of the person, by its id. A row: there was one. */
export function deleteOwnConsent(userId: string, id: string): QueryConfig {
  return {
    text: `DELETE FROM oauth_consents k USING oauth_clients c
           WHERE k.user_id = $1 AND k.id = $2 AND c.organization_id = k.organization_id AND c.id = k.client_ref
           RETURNING k.organization_id AS "organizationId", k.client_ref AS "clientRef", c.name, k.scopes`,
    values: [userId, id],
  };
}
