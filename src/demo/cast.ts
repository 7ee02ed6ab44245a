/** Who appears in the events of the demo: its own accounts, as the database has them. */
import type { Queryable } from '../platform/database/pool.ts';
import type { Cast } from './classroom.ts';
import { selectCast } from './statements.ts';

/** The cast, in an order that stays, so that the same chance picks the same people. */
export async function findCast(db: Queryable, organizationId: string): Promise<Cast> {
  const { rows } = await db.query<{ id: string; role: string }>(selectCast(organizationId));
  const having = (role: string): readonly string[] =>
    rows.filter((row) => row.role === role).map(({ id }) => id);
  return { students: having('STUDENT'), educators: having('EDUCATOR') };
}
