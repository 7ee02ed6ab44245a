/** Deliveries that the demo's paused and disabled subscriptions hold: nobody will ever send them, and history cannot end before them. */
import type { Pool } from 'pg';
import { lowestUuidAt } from '../lib/ids.ts';
import { inTransaction } from '../platform/database/pool.ts';

const WEEK_MS = 7 * 86_400_000;

/** Cancels what the demo has held for more than a week. `pool` logs in as a member of the role optio_worker. */
export async function cancelLongHeld(pool: Pool, organizationId: string, now: Date): Promise<void> {
  const before = lowestUuidAt(new Date(now.getTime() - WEEK_MS));
  await inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ id: string }>(
      `UPDATE deliveries SET status = 'CANCELLED', completed_at = $3, version = version + 1
       WHERE organization_id = $1 AND status = 'HELD' AND id < $2 RETURNING id`,
      [organizationId, before, now],
    );
    await tx.query('SELECT optio.log_deliveries($1, $2)', [organizationId, rows.map(({ id }) => id)]);
  });
}
