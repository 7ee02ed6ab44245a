/** Closes the demo, in a module of its own: a start that has none loads nothing else of it. */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { setDemoOpen } from './statements.ts';

/** Closes the accounts and the client whose passwords everybody knows, if this database ever held a demo. */
export async function closeDemo(pool: Pool, clock: Clock): Promise<void> {
  await pool.query(setDemoOpen(false, clock.now()));
}
