/** What the owner of a database has to be allowed before its first migration is begun. */
import type { Client } from 'pg';
import { AppError } from '../../lib/errors.ts';

const GROUPS = ['optio_tenant', 'optio_worker', 'optio_auth'];

/** Throws `UNAVAILABLE`, saying what to grant, when the user may make no tables, no schema, or no roles that are missing. */
export async function checkOwnerRights(client: Pick<Client, 'query'>): Promise<void> {
  const { rows } = await client.query<Rights>(
    `SELECT current_user AS "user", current_database() AS database,
       has_schema_privilege('public', 'CREATE') AS "mayMakeTables",
       has_database_privilege(current_database(), 'CREATE') OR to_regnamespace('optio') IS NOT NULL AS "mayMakeSchemas",
       (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
         OR NOT EXISTS (SELECT FROM unnest($1::text[]) AS g WHERE to_regrole(g) IS NULL) AS "mayMakeRoles"`,
    [GROUPS],
  );
  const rights = rows[0];
  const missing = rights === undefined ? [] : missingGrants(rights);
  if (rights === undefined || missing.length === 0) return;
  throw new AppError(
    'UNAVAILABLE',
    `The database user ${rights.user} may not make what the server needs. As a superuser, in the database ${rights.database}, run: ${missing.join(' ')} Then start again.`,
  );
}

type Rights = {
  readonly user: string;
  readonly database: string;
  readonly mayMakeTables: boolean;
  readonly mayMakeSchemas: boolean;
  readonly mayMakeRoles: boolean;
};

function missingGrants(rights: Rights): readonly string[] {
  const [user, database] = [quote(rights.user), quote(rights.database)];
  return [
    ...(rights.mayMakeTables ? [] : [`GRANT CREATE ON SCHEMA public TO ${user};`]),
    ...(rights.mayMakeSchemas ? [] : [`GRANT CREATE ON DATABASE ${database} TO ${user};`]),
    ...(rights.mayMakeRoles ? [] : [`ALTER ROLE ${user} CREATEROLE;`]),
  ];
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
