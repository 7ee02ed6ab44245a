/** What the database itself refuses an organization, whatever statement it finds a way to make. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdsScope, SCOPES } from '../../src/accounts/scope.ts';
import { newId } from '../../src/lib/ids.ts';
import { type ClientsWorld, openClientsWorld } from './clients-world.ts';
import { REDIRECT_URI } from './people.ts';

let world: ClientsWorld;

beforeAll(async () => {
  world = await openClientsWorld();
});
afterAll(() => world.close());

/** Runs a statement in the name of an ADMIN; answers PostgreSQL's refusal, if there is one. */
async function attempt(sql: string, ...values: unknown[]): Promise<string | undefined> {
  try {
    await world.as().write(({ tx }) => tx.$executeRawUnsafe(sql, ...values));
    return undefined;
  } catch (error) {
    return /Code: `(\w+)`/.exec(String(error))?.[1];
  }
}

const set = (id: string, assignments: string) =>
  attempt(`UPDATE oauth_clients SET ${assignments} WHERE id = $1::uuid`, id);

describe('An organization', () => {
  it('cannot approve its own client', async () => {
    const { id } = await world.register();
    expect(await set(id, `status = 'APPROVED'`)).toBe('42501');
    expect(await set(id, `scopes = '{read}'`)).toBe('42501');
  });

  it('cannot add a client that is in force', async () => {
    const insert = `INSERT INTO oauth_clients (organization_id, id, client_id, name, type, status, scopes)
      VALUES ($1::uuid, $2::uuid, $3, 'Mine', 'CONFIDENTIAL', $4::"OAuthClientStatus", $5::text[])`;
    const { organizationId } = world.harness;
    const values = (status: string, scopes: string) => [organizationId, newId(), newId(), status, scopes];
    expect(await attempt(insert, ...values('APPROVED', '{}'))).toBe('42501');
    expect(await attempt(insert, ...values('PENDING', '{write}'))).toBe('42501');
    expect(await attempt(insert, ...values('PENDING', '{}'))).toBeUndefined();
  });

  it.each([
    `scopes = '{write}'`,
    `scopes = '{read:quests,read:events}'`,
    `redirect_uris = '{https://lms.example/oauth/callback,https://evil.example/}'`,
    `grant_types = '{authorization_code,client_credentials}'`,
    'requires_pkce = false',
    'suspended_by_platform = true',
    `client_id = 'another'`,
    `type = 'PUBLIC'`,
    `status = 'PENDING'`,
  ])('cannot widen what is in force: %s', async (assignment) => {
    const { id } = await world.approved({ redirectUris: [REDIRECT_URI] });
    expect(await set(id, assignment)).toBe('42501');
  });

  it('cannot lift what the platform suspended, and can lift what it suspended itself', async () => {
    const [theirs, own] = [await world.approved(), await world.approved()];
    await world.decide(theirs.id, { decision: 'SUSPEND', reason: 'Abuse.' });
    expect(await set(theirs.id, `status = 'APPROVED'`)).toBe('42501');
    expect(await set(own.id, `status = 'SUSPENDED'`)).toBeUndefined();
    expect(await set(own.id, `status = 'APPROVED'`)).toBeUndefined();
  });

  it('can take away', async () => {
    const { id } = await world.approved({ scopes: ['read'] });
    expect(await set(id, `scopes = '{read:quests,read:tasks}', redirect_uris = '{}'`)).toBeUndefined();
  });

  it('reads no hash of a secret', async () => {
    const { id } = await world.register();
    const read = (column: string) =>
      attempt(`SELECT ${column} FROM oauth_client_secrets WHERE client_ref = $1::uuid`, id);
    expect(await read('hash')).toBe('42501');
    expect(await read('created_at')).toBeUndefined();
  });
});

it('the database knows the same hierarchy of scopes as the program', async () => {
  const pairs = SCOPES.flatMap(({ name: held }) => SCOPES.map(({ name: wanted }) => ({ held, wanted })));
  const rows = await world.sql(
    `SELECT held, wanted, optio.scope_contains(held, wanted) AS contains
     FROM unnest($1::text[], $2::text[]) AS pair (held, wanted)`,
    [pairs.map(({ held }) => held), pairs.map(({ wanted }) => wanted)],
  );
  expect(rows).toEqual(
    pairs.map(({ held, wanted }) => ({ held, wanted, contains: holdsScope([held], wanted) })),
  );
});
