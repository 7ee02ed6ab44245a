/** Organizations: the tenants. */
import type { Queryable } from '../platform/database/pool.ts';
import { insertOrganization, type Organization, selectFirstOrganization } from './statements.ts';

/** The oldest organization, or null while there is none. */
export async function findFirstOrganization(db: Queryable): Promise<Organization | null> {
  const { rows } = await db.query<Organization>(selectFirstOrganization());
  return rows[0] ?? null;
}

/** Stores a new organization. `db` needs the owner's rights: no role that serves requests makes organizations. */
export async function createOrganization(
  db: Queryable,
  organization: Organization,
  now: Date,
): Promise<Organization> {
  await db.query(insertOrganization(organization, now));
  return organization;
}
