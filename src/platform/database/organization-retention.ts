/** What ends sooner than its partition: bodies, and what an organization keeps for a shorter time (docs/adr/0044, 0050). */
import type { Pool } from 'pg';

export type OldAge<Days> = {
  readonly now: Date;
  /** The server's; an organization may have fewer. */
  readonly days: Days;
};

const DAY_MS = 86_400_000;
const NIL = '00000000-0000-0000-0000-000000000000';
const BODIES_AT_ONCE = 2_000;
const ROWS_AT_ONCE = 2_000;
const ORGANIZATIONS_AT_ONCE = 1_000;
// Of one run; the next one goes on.
const MAX_STEPS = 1_000;

/** Takes the bodies out of what is older, in small transactions. `days` undefined: as long as the rows. */
export async function stripOldBodies(pool: Pool, { now, days }: OldAge<number | undefined>): Promise<void> {
  for (let step = 0; step < MAX_STEPS; step++) {
    const { rows } = await pool.query<{ looked: number }>(
      'SELECT optio.strip_old_bodies($1, $2, $3) AS looked',
      [now, days ?? null, BODIES_AT_ONCE],
    );
    if ((rows[0]?.looked ?? 0) < BODIES_AT_ONCE) return;
  }
}

/** Deletes the events, and the deliveries that have ended, of organizations that keep them for fewer days. */
export async function deleteOldRows(pool: Pool, { now, days }: OldAge<number>): Promise<void> {
  let after = NIL;
  for (let step = 0; step < MAX_STEPS; step++) {
    const { rows } = await pool.query<{ id: string; days: number }>(
      'SELECT organization_id AS id, days FROM optio.shorter_retentions($1, $2, $3)',
      [days, after, ORGANIZATIONS_AT_ONCE],
    );
    for (const own of rows) await deleteRowsOf(pool, own.id, new Date(now.getTime() - own.days * DAY_MS));
    const last = rows[ORGANIZATIONS_AT_ONCE - 1];
    if (last === undefined) return;
    after = last.id;
  }
}

async function deleteRowsOf(pool: Pool, organizationId: string, before: Date): Promise<void> {
  // Kept here and not in the database: what has not ended in this run may have by the next one.
  let [delivery, event]: [string | null, string | null] = [NIL, NIL];
  for (let step = 0; step < MAX_STEPS && (delivery !== null || event !== null); step++) {
    const reached = await deletePiece(pool, [organizationId, before, ROWS_AT_ONCE, delivery, event]);
    [delivery, event] = [reached?.delivery ?? null, reached?.event ?? null];
  }
}

type Reached = { readonly delivery: string | null; readonly event: string | null };

async function deletePiece(pool: Pool, values: readonly unknown[]): Promise<Reached | undefined> {
  const { rows } = await pool.query<Reached>(
    'SELECT p_delivery AS delivery, p_event AS event FROM optio.delete_old_rows($1, $2, $3, $4, $5)',
    [...values],
  );
  return rows[0];
}
