/**
 * The logins under which the server's pools reach the database: one per group role, per database. Their
 * passwords are derived from a key, so that nothing has to be kept and every process finds the same ones.
 */
import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Client, DatabaseError } from 'pg';
import { deriveKey, hmacSha256 } from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';
import { withOwnerSession, withStartLock } from './migrate/owner-session.ts';

const MAX_NAME_BYTES = 63;
const SCRAM_ITERATIONS = 4096;
const AUTHENTICATION_FAILURES = new Set(['28P01', '28000']);
const INSUFFICIENT_PRIVILEGE = '42501';
const LIMITS = {
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
  lock_timeout: '10s',
  // Known to PostgreSQL 17 and later. The live stream waits for the oldest transaction there is (webhooks rule 36).
  transaction_timeout: '2min',
};

type Kind = 'tenant' | 'worker' | 'auth';
type Login = {
  readonly name: string;
  readonly group: string;
  readonly password: string;
  readonly url: string;
};

export type ProvisionOptions = {
  /** Of an owner who may create roles, on the database that was migrated. */
  readonly ownerUrl: string;
  /** 32 bytes that stay the same from start to start; another key gives the logins other passwords. */
  readonly key: Buffer;
};

export type LoginUrls = { readonly tenantUrl: string; readonly workerUrl: string; readonly authUrl: string };

/**
 * Afterwards each login works, is a member of its group role and no more. Writes only where a login does not
 * work. Throws `UNAVAILABLE`, saying what to grant, when the owner may not make it so; `CONFLICT` when a role of
 * that name could pass row-level security.
 */
export async function provisionLogins({ ownerUrl, key }: ProvisionOptions): Promise<LoginUrls> {
  const [tenant, worker, auth] = loginsOf(ownerUrl, key);
  const logins = [tenant, worker, auth];
  const work = await Promise.all(logins.map((login) => works(login)));
  if (work.includes(false)) {
    await withOwnerSession(ownerUrl, (owner) =>
      withStartLock(owner, { work: () => writeLogins(owner, logins) }),
    );
  }
  return { tenantUrl: tenant.url, workerUrl: worker.url, authUrl: auth.url };
}

function loginsOf(ownerUrl: string, key: Buffer): readonly [Login, Login, Login] {
  const database = new Client({ connectionString: ownerUrl }).database ?? '';
  const loginOf = (kind: Kind): Login => {
    const name = loginName(database, kind);
    const password = deriveKey(key, `database-login:${name}`).toString('base64url');
    return { name, group: `optio_${kind}`, password, url: withCredentials(ownerUrl, name, password) };
  };
  return [loginOf('tenant'), loginOf('worker'), loginOf('auth')];
}

/**
 * `<database>_<kind>_login`, which is never a group's name, whatever the database is called. PostgreSQL would
 * cut a longer one silently, and two of them could become one.
 */
function loginName(database: string, kind: Kind): string {
  const name = `${database}_${kind}_login`;
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) {
    return name;
  }
  const suffix = `_${createHash('sha256').update(database).digest('hex').slice(0, 16)}_${kind}_login`;
  const room = Buffer.from(database).subarray(0, MAX_NAME_BYTES - suffix.length);
  // A character that was cut in two is dropped.
  return `${room.toString('utf8').replace(/\uFFFD$/, '')}${suffix}`;
}

function withCredentials(ownerUrl: string, name: string, password: string): string {
  const url = new URL(ownerUrl);
  url.searchParams.delete('user');
  url.searchParams.delete('password');
  if (url.hostname === '') {
    // A Unix socket, named in the query: a URL without host has no place for a user.
    url.searchParams.set('user', name);
    url.searchParams.set('password', password);
    return url.href;
  }
  url.username = encodeURIComponent(name);
  url.password = password;
  return url.href;
}

/** Whether the login gets in, has what its group has, and its limits, of which the last one came later than the others. */
async function works(login: Login): Promise<boolean> {
  const client = new Client({ connectionString: login.url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ is_complete: boolean; is_unbound: boolean }>(
      `SELECT coalesce(pg_has_role(to_regrole($1), 'USAGE'), false)
         AND current_setting('transaction_timeout', true) IS DISTINCT FROM '0' AS is_complete,
         rolsuper OR rolbypassrls AS is_unbound
       FROM pg_roles WHERE rolname = current_user`,
      [login.group],
    );
    assertBound(login, rows[0]?.is_unbound === true);
    return rows[0]?.is_complete === true;
  } catch (error) {
    if (error instanceof DatabaseError && AUTHENTICATION_FAILURES.has(error.code ?? '')) {
      return false;
    }
    throw error;
  } finally {
    await client.end();
  }
}

/** Asks again first: another process may have put them right while we waited for the lock. */
async function writeLogins(owner: Client, logins: readonly Login[]): Promise<void> {
  const work = await Promise.all(logins.map((login) => works(login)));
  const missing = logins.filter((_, index) => work[index] !== true);
  await owner.query('BEGIN');
  try {
    for (const login of missing) {
      await writeLogin(owner, login);
    }
    await owner.query('COMMIT');
  } catch (error) {
    await owner.query('ROLLBACK');
    throw explain(error, owner.user ?? '', missing);
  }
}

async function writeLogin(owner: Client, login: Login): Promise<void> {
  const role = owner.escapeIdentifier(login.name);
  const { rows } = await owner.query<{ is_unbound: boolean }>(
    'SELECT rolsuper OR rolbypassrls AS is_unbound FROM pg_roles WHERE rolname = $1',
    [login.name],
  );
  assertBound(login, rows[0]?.is_unbound === true);
  // The attributes are named only at creation: to name them later takes a superuser, even to leave them as they are.
  const change =
    rows.length === 0
      ? `CREATE ROLE ${role} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`
      : `ALTER ROLE ${role}`;
  await owner.query(`${change} LOGIN INHERIT PASSWORD '${scramVerifier(login.password)}'`);
  await owner.query(`GRANT ${owner.escapeIdentifier(login.group)} TO ${role}`);
  const known = await owner.query<{ name: keyof typeof LIMITS }>(
    'SELECT name FROM pg_settings WHERE name = ANY ($1)',
    [Object.keys(LIMITS)],
  );
  for (const { name } of known.rows) await owner.query(`ALTER ROLE ${role} SET ${name} = '${LIMITS[name]}'`);
}

function assertBound(login: Login, isUnbound: boolean): void {
  if (isUnbound) {
    throw new AppError(
      'CONFLICT',
      `The database role ${login.name} is a superuser or bypasses row-level security, so it cannot be the login for ${login.group}: drop it or rename it, and start again.`,
    );
  }
}

/**
 * What PostgreSQL stores of a password (RFC 5803, keys as in RFC 5802 3). Sent in its place, so that no log of
 * statements holds the password. The password is ASCII, which SASLprep leaves as it is.
 */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmacSha256(salted, 'Client Key')).digest('base64');
  const serverKey = hmacSha256(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

function explain(error: unknown, owner: string, logins: readonly Login[]): unknown {
  if (!(error instanceof DatabaseError) || error.code !== INSUFFICIENT_PRIVILEGE) {
    return error;
  }
  const grants = logins.map(({ group }) => `GRANT ${group} TO "${owner}" WITH ADMIN OPTION;`).join(' ');
  return new AppError(
    'UNAVAILABLE',
    `The database user ${owner} may not make the logins ${logins.map(({ name }) => name).join(', ')}: ${error.message}. As a superuser run: ALTER ROLE "${owner}" CREATEROLE; ${grants}`,
    { cause: error },
  );
}
