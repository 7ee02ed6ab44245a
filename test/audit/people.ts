/** Organizations, people and clients for tests of the audit log, as the owner of the schema makes them. */
import type { Pool } from 'pg';
import { randomAlphanumeric } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';

export async function addOrganization(owner: Pool): Promise<string> {
  const id = newId();
  await owner.query('INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)', [id, `school-${id}`]);
  return id;
}

type NewUser = {
  readonly email?: string;
  /** Of which the user is a student. */
  readonly organizations: readonly string[];
  readonly isPlatformAdmin?: boolean;
};

export async function addUser(
  owner: Pool,
  { email, organizations, isPlatformAdmin = false }: NewUser,
): Promise<string> {
  const id = newId();
  await owner.query('INSERT INTO users (id, email, name, is_platform_admin) VALUES ($1, $2, $3, $4)', [
    id,
    email ?? `${id}@school.example`,
    'Ada',
    isPlatformAdmin,
  ]);
  for (const organizationId of organizations) {
    await owner.query(`INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'STUDENT')`, [
      organizationId,
      id,
    ]);
  }
  return id;
}

/** Answers its client_id. */
export async function addClient(owner: Pool, organizationId: string, name: string): Promise<string> {
  const clientId = randomAlphanumeric(20);
  await owner.query(
    `INSERT INTO oauth_clients (organization_id, id, client_id, name, type, status)
     VALUES ($1, $2, $3, $4, 'CONFIDENTIAL', 'APPROVED')`,
    [organizationId, newId(), clientId, name],
  );
  return clientId;
}
