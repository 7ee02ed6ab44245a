/** The SQL that adds to the audit log, for every role that does. One insert; what it looks up lies in primary keys. */
import type { QueryConfig } from 'pg';
import { newId } from '../lib/ids.ts';
import { type Act, type Actor, type AuditSource, PLATFORM } from './entry.ts';

/** In whose log: that of one organization, or that of each organization that the user is a member of. */
export type Place = { readonly organizationId: string } | { readonly userId: string };

export type NewEntry = Act & { readonly place: Place; readonly source: AuditSource; readonly at: Date };

const COLUMNS = `organization_id, id, at, action, actor_kind, actor_id, actor_label, client_id, target_type, target_id,
  target_label, changes, occurrences, address, user_agent, request_id`;

/** One entry, or one for each organization under the same id. Reads users or clients only for an actor that is one. */
export function insertEntry(entry: NewEntry): QueryConfig & { readonly values: unknown[] } {
  const { place, source, at, action, target, changes = {}, occurrences = 1 } = entry;
  const { actor } = source;
  const isOne = 'organizationId' in place;
  return {
    text: `INSERT INTO audit_entries (${COLUMNS})
      SELECT place.organization_id, $1::uuid, $2::timestamptz, $3::text, $4::"AuditActorKind", $5::text, ${LABELS[actor.kind]},
        $6::text, $7::text, $8::text, left($9::text, 200), $10::jsonb, $11::int, $12::text, left($13::text, 256), $14::text
      FROM (${isOne ? ONE : EACH_OF_USER}) AS place (organization_id)`,
    values: [
      newId(),
      at,
      action,
      actor.kind,
      'id' in actor ? actor.id : null,
      actor.kind === 'USER' ? actor.clientId : null,
      target?.type ?? null,
      target?.id ?? null,
      target?.label ?? null,
      JSON.stringify(changes),
      occurrences,
      source.address,
      source.userAgent,
      source.requestId,
      isOne ? place.organizationId : place.userId,
    ],
  };
}

const ONE = 'SELECT $15::uuid';

// The platform's own log has what concerns its admins, and people whom no organization could be told about.
const EACH_OF_USER = `
  SELECT organization_id FROM memberships WHERE user_id = $15::uuid
  UNION ALL
  SELECT '${PLATFORM}'::uuid WHERE EXISTS (SELECT FROM users WHERE id = $15::uuid AND is_platform_admin)
    OR NOT EXISTS (SELECT FROM memberships WHERE user_id = $15::uuid)`;

/** What the actor is called now. A role that may not see the row finds no name. */
const LABELS: Readonly<Record<Actor['kind'], string>> = {
  USER: 'left((SELECT email FROM users WHERE id = $5::uuid), 200)',
  CLIENT: 'left((SELECT name FROM oauth_clients WHERE client_id = $5::text), 200)',
  ANONYMOUS: 'NULL::text',
  OPERATOR: 'NULL::text',
  SYSTEM: 'NULL::text',
};
