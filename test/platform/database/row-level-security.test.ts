import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/lib/ids.ts';
import { createTestDatabase, query } from '../../support/database.ts';
import { type Outcome, run } from '../../support/outcome.ts';
import { type Row, readTables, seedRow, type Table, valuesFor } from '../../support/tables.ts';

// At the top, so that there is a test for each table that the database has: one that is new is tested without a word.
const database = await createTestDatabase();
const tables = await readTables(database.ownerUrl);

const [ours, theirs] = [newId(), newId()];
/** One row of each table, of each organization. */
const ourRows = new Map<string, Row>();
const theirRows = new Map<string, Row>();

beforeAll(async () => {
  for (const table of tables) {
    await seedRow(database.ownerUrl, tables, { table, organizationId: ours, rows: ourRows });
    await seedRow(database.ownerUrl, tables, { table, organizationId: theirs, rows: theirRows });
  }
});
afterAll(() => database.drop());

type Identity = { readonly organizationId: string; readonly role: string };

/** Runs one statement as a tenant, without keeping what it does: how many rows it met, or how it was refused. */
async function asTenant(
  identity: Identity | undefined,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Outcome> {
  const url = new URL(database.urls.tenantUrl);
  const settings =
    identity === undefined
      ? []
      : [`app.organization_id=${identity.organizationId}`, `app.role=${identity.role}`];
  url.searchParams.set('options', settings.map((setting) => `-c ${setting}`).join(' '));
  return run(url.href, sql, values);
}

const us: Identity = { organizationId: ours, role: 'ADMIN' };
const rowOf = (rows: ReadonlyMap<string, Row>, table: Table): Row => {
  const row = rows.get(table.name);
  if (row === undefined) throw new Error(`There is no row of ${table.name}.`);
  return row;
};

/** `WHERE` for one row, by its primary key. */
function isRow(table: Table, row: Row): [string, unknown[]] {
  const condition = table.primaryKey.map((column, index) => `${column} = $${index + 1}`).join(' AND ');
  return [condition, table.primaryKey.map((column) => row[column])];
}

function insert(table: Table, row: Row): [string, unknown[]] {
  const names = Object.keys(row);
  const places = names.map((_, index) => `$${index + 1}`).join(', ');
  return [
    `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${places}) RETURNING 1`,
    Object.values(row),
  ];
}

/** Whether the statement met nothing, or was not allowed at all; else what it met. */
function met({ code, count }: Outcome): 'nothing' | Outcome {
  return count === 0 && (code === undefined || code === '42501') ? 'nothing' : { code, count };
}

describe.each(tables.map((table) => [table.name, table] as const))('%s', (_, table) => {
  it('lets a tenant neither read, change, delete nor add a row of another organization', async () => {
    const theirRow = rowOf(theirRows, table);
    const [isTheirs, key] = isRow(table, theirRow);
    expect(await run(database.ownerUrl, `SELECT FROM ${table.name} WHERE ${isTheirs}`, key)).toMatchObject({
      count: 1,
    });
    const [column = ''] = table.primaryKey;
    expect(met(await asTenant(us, `SELECT ${column} FROM ${table.name} WHERE ${isTheirs}`, key))).toBe(
      'nothing',
    );
    expect(
      met(
        await asTenant(
          us,
          `UPDATE ${table.name} SET ${column} = ${column} WHERE ${isTheirs} RETURNING 1`,
          key,
        ),
      ),
    ).toBe('nothing');
    expect(met(await asTenant(us, `DELETE FROM ${table.name} WHERE ${isTheirs} RETURNING 1`, key))).toBe(
      'nothing',
    );
    const another = valuesFor(table, { organizationId: theirs, rows: theirRows });
    expect(await asTenant(us, ...insert(table, another))).toEqual({ code: '42501', count: 0 });
    expect(met(await asTenant(us, `TRUNCATE ${table.name}`))).toBe('nothing');
  });

  it('shows a connection without an organization nothing', async () => {
    const [column = ''] = table.primaryKey;
    expect(met(await asTenant(undefined, `SELECT ${column} FROM ${table.name}`))).toBe('nothing');
  });

  it('has row-level security, and a policy for everyone who may touch it', async () => {
    const rows = await query(
      database.ownerUrl,
      `SELECT relrowsecurity AS secured, ARRAY(
         SELECT g::text FROM unnest(ARRAY['optio_tenant', 'optio_worker', 'optio_auth']) AS g
         WHERE has_table_privilege(g, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
           AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND g::regrole = ANY (p.polroles))) AS without
       FROM pg_class c WHERE oid = $1::regclass`,
      [table.name],
    );
    expect(rows).toEqual([{ secured: true, without: [] }]);
  });
});

const ofOrganizations = tables.filter((table) =>
  table.columns.some(({ name }) => name === 'organization_id'),
);

describe.each(ofOrganizations.map((table) => [table.name, table] as const))(
  '%s, a table of organizations',
  (_, table) => {
    it('lets a tenant not move a row of its own to another organization', async () => {
      const [isOurs, key] = isRow(table, rowOf(ourRows, table));
      const moved = await asTenant(
        us,
        `UPDATE ${table.name} SET organization_id = $${key.length + 1} WHERE ${isOurs} RETURNING 1`,
        [...key, theirs],
      );
      expect(moved).toEqual({ code: '42501', count: 0 });
    });

    it('has the organization first in its primary key', () => {
      expect(table.primaryKey[0]).toBe('organization_id');
    });

    it('cannot refer to a row of another organization', async () => {
      const references = table.foreignKeys.filter((key) => key.columns.length > 1);
      const single = table.foreignKeys.filter((key) => key.columns.length === 1);
      // People and organizations themselves belong to nobody.
      for (const { parent } of single) expect(['organizations', 'users']).toContain(parent);
      for (const reference of references) {
        expect(reference.columns[0]).toBe('organization_id');
        const row = valuesFor(table, { organizationId: ours, rows: ourRows });
        const parent = theirRows.get(reference.parent) ?? {};
        const foreign = Object.fromEntries(
          reference.columns
            .slice(1)
            .map((column, index) => [column, parent[reference.parentColumns[index + 1] ?? '']]),
        );
        expect(await run(database.ownerUrl, ...insert(table, { ...row, ...foreign }))).toMatchObject({
          code: '23503',
        });
      }
    });
  },
);

describe('what only admins may look at', () => {
  const closed = [
    'events',
    'event_idempotency_keys',
    'deliveries',
    'delivery_attempts',
    'delivery_updates',
    'delivery_statistics_deltas',
    'delivery_statistics',
    'replays',
    'webhook_subscriptions',
    'webhook_secrets',
    'webhook_subscription_health',
    'oauth_clients',
    'oauth_client_secrets',
    'oauth_access_tokens',
    'oauth_consents',
    'oauth_grants',
  ];

  it.each(['STUDENT', 'EDUCATOR', '', 'admin'])(
    'is nothing to the role %j, though it is of its organization',
    async (role) => {
      for (const name of closed) {
        expect(
          met(await asTenant({ organizationId: ours, role }, `SELECT organization_id FROM ${name}`)),
        ).toBe('nothing');
      }
    },
  );

  it('is there for an admin, all but the idempotency keys', async () => {
    const counts = await Promise.all(
      closed.map((name) => asTenant(us, `SELECT organization_id FROM ${name}`)),
    );
    expect(counts.map(({ count }) => count)).toEqual(
      closed.map((name) => (name === 'event_idempotency_keys' ? 0 : 1)),
    );
  });

  it('cannot be changed by a student', async () => {
    for (const name of closed) {
      const student = { organizationId: ours, role: 'STUDENT' };
      expect(
        met(await asTenant(student, `UPDATE ${name} SET organization_id = organization_id RETURNING 1`)),
      ).toBe('nothing');
      expect(met(await asTenant(student, `DELETE FROM ${name} RETURNING 1`))).toBe('nothing');
      const table = tables.find((one) => one.name === name);
      if (table === undefined) throw new Error(`There is no table ${name}.`);
      const row = valuesFor(table, { organizationId: ours, rows: ourRows });
      expect(await asTenant(student, ...insert(table, row))).toMatchObject({ code: '42501' });
    }
  });
});

describe('what only admins may change', () => {
  it.each([
    ['STUDENT', 0],
    ['EDUCATOR', 0],
    ['ADMIN', 1],
  ])('as %s, the organization and its members: %d', async (role, count) => {
    const who = { organizationId: ours, role };
    const rename = "UPDATE organizations SET name = 'Other' RETURNING id";
    expect(await asTenant(who, rename)).toEqual({ code: undefined, count });
    const promote = `UPDATE memberships SET role = 'ADMIN' RETURNING user_id`;
    expect(await asTenant(who, promote)).toEqual({ code: undefined, count });
    expect(await asTenant(who, 'DELETE FROM memberships RETURNING user_id')).toEqual({
      code: undefined,
      count,
    });
    // Taking somebody in would show an admin a person of another organization.
    expect(await asTenant(who, 'INSERT INTO memberships DEFAULT VALUES')).toMatchObject({ code: '42501' });
  });

  it('a tenant without an organization emits for none', async () => {
    const emit = "SELECT * FROM optio.emit_events($1, '{}', '{}', '{}', '{}', '{}', '{}')";
    expect(await asTenant(undefined, emit, [ours])).toMatchObject({ code: '42501' });
    expect(await asTenant(us, emit, [theirs])).toMatchObject({ code: '42501' });
    expect(await asTenant(us, emit, [ours])).toMatchObject({ code: undefined });
  });
});
