/** Looks whether access tokens still hold, many at once: for what goes on after a request was let in. */
import type { Pool } from 'pg';
import type { Viewer } from '../accounts/viewer.ts';
import type { Clock } from '../lib/clock.ts';

const SELECT_HELD = `
  SELECT t.id FROM unnest($1::uuid[], $2::uuid[]) AS asked (organization_id, id)
  JOIN oauth_access_tokens t USING (organization_id, id)
  JOIN oauth_clients c ON c.organization_id = t.organization_id AND c.id = t.client_ref
  WHERE t.revoked_at IS NULL AND t.expires_at > $3 AND c.status = 'APPROVED'`;

/** Those of the viewers whose tokens have neither expired nor been revoked, and whose clients are still approved. */
export async function findHeld(
  deps: { readonly pool: Pool; readonly clock: Clock },
  viewers: readonly Viewer[],
): Promise<ReadonlySet<Viewer>> {
  const asked = viewers.filter((viewer) => viewer.tokenId !== null);
  const { rows } = await deps.pool.query<{ id: string }>({
    name: 'select-held-tokens',
    text: SELECT_HELD,
    values: [
      asked.map((viewer) => viewer.organizationId),
      asked.map((viewer) => viewer.tokenId),
      deps.clock.now(),
    ],
  });
  const held = new Set(rows.map((row) => row.id));
  return new Set(asked.filter((viewer) => held.has(viewer.tokenId ?? '')));
}
