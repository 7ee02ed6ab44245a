/** What nobody can use any more leaves: old tokens and invitations. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { inBatches } from '../platform/database/in-batches.ts';
import { deleteOldInvitations } from './invitation-statements.ts';
import { deleteExpiredTokens } from './one-time-token.ts';

const DAY_MS = 86_400_000;
/** An expired token can still be told from one that never was, for so long. */
const TOKENS_KEPT_MS = 7 * DAY_MS;
/** Who was invited stays on the list for so long after the invitation has expired. */
const INVITATIONS_KEPT_MS = 90 * DAY_MS;
const ROWS = 5_000;

/** Deletes them in small transactions. `pool` logs in as a member of the role optio_auth. For a scheduled job. */
export async function cleanUpPeople({
  pool,
  clock,
}: {
  readonly pool: Pool;
  readonly clock: Clock;
}): Promise<void> {
  const now = clock.now().getTime();
  await deleteExpiredTokens(pool, new Date(now - TOKENS_KEPT_MS), ROWS);
  await inBatches(pool, deleteOldInvitations(new Date(now - INVITATIONS_KEPT_MS), ROWS), ROWS);
}
