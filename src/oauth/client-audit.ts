/** What the audit log is told of clients: their settings before and after, and no secret. */

import type { AuditAction } from '../audit/action.ts';
import { beginning, difference } from '../audit/difference.ts';
import type { Act } from '../audit/entry.ts';
import type { ClientRow, NewClientRow } from './client-record-statements.ts';
import type { ClientSettings } from './client-settings.ts';

export type ClientAction = Extract<AuditAction, `oauth_client.${string}`>;

/** The entry of a client that was registered. */
export function actOfRegistration(client: NewClientRow): Act {
  const { clientId: client_id, type, preset } = client;
  return {
    action: 'oauth_client.registered',
    target: targetOf(client),
    changes: beginning({ client_id, type, preset, ...settingsOf(client) }),
  };
}

/** The entry of a change: what is different. Undefined: nothing is. */
export function actOfChange(action: ClientAction, before: ClientRow, after: ClientRow): Act | undefined {
  const changes = difference(settingsOf(before), settingsOf(after));
  return Object.keys(changes).length === 0 ? undefined : { action, target: targetOf(after), changes };
}

/** The client as the target of an entry. */
export function targetOf({ id, name }: Pick<ClientRow, 'id' | 'name'>) {
  return { type: 'OAuthClient', id, label: name } as const;
}

function settingsOf(client: ClientRow) {
  const { name, status, statusReason, homepageUrl, policyUrl, inForce, request } = client;
  return {
    name,
    status,
    reason: statusReason,
    homepage_url: homepageUrl,
    policy_url: policyUrl,
    ...inWords(inForce),
    requested: request === null ? null : inWords(request),
  };
}

function inWords({ scopes, redirectUris, grantTypes, requiresPkce }: ClientSettings) {
  return { scopes, redirect_uris: redirectUris, grant_types: grantTypes, requires_pkce: requiresPkce };
}
