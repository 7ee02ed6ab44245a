import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bootstrap } from '../../src/accounts/bootstrap.ts';
import { SCOPES } from '../../src/accounts/scope.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { sha256 } from '../../src/lib/crypto.ts';
import { type BootstrapClientOptions, bootstrapClient } from '../../src/oauth/bootstrap-client.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const SECRET = 's'.repeat(43);
let database: TestDatabase;
let pool: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.ownerUrl, maxConnections: 10, onIdleError: () => undefined });
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

function start(options: BootstrapClientOptions = {}) {
  return bootstrap({
    pool,
    clock: systemClock,
    options: { adminEmail: 'admin@optio.example', adminPassword: 'a password of choice' },
    bootstrapClient: bootstrapClient(options, systemClock),
  });
}

async function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  const { rows } = await pool.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
  return rows;
}

describe('the first client', () => {
  test('is confidential, approved, for client_credentials only, with all scopes', async () => {
    const { organization, client } = await start();
    expect(await rowsOf('oauth_clients')).toMatchObject([
      {
        organization_id: organization.id,
        client_id: client.clientId,
        type: 'CONFIDENTIAL',
        status: 'APPROVED',
        grant_types: ['client_credentials'],
        scopes: SCOPES.map(({ name }) => name),
        redirect_uris: [],
      },
    ]);
  });

  test('shows the id and the secret that were generated; only the hash is stored', async () => {
    const { client } = await start();
    expect(client).toEqual({
      clientId: expect.stringMatching(/^[A-Za-z0-9]{20}$/),
      clientSecret: expect.stringMatching(/^[A-Za-z0-9]{43}$/),
      warnings: [],
    });
    expect(await rowsOf('oauth_client_secrets')).toMatchObject([{ hash: sha256(client.clientSecret ?? '') }]);
  });

  test('uses what is given and does not show the secret', async () => {
    const { client } = await start({ clientId: 'lms-backend', clientSecret: SECRET });
    expect(client).toEqual({ clientId: 'lms-backend', warnings: [] });
    expect(await rowsOf('oauth_client_secrets')).toMatchObject([{ hash: sha256(SECRET) }]);
  });

  test('warns of a given secret that is short, without repeating it', async () => {
    const { client } = await start({ clientSecret: 'tell-nobody' });
    expect(client.warnings).toEqual([expect.stringContaining('shorter than 32 characters')]);
    expect(JSON.stringify(client)).not.toContain('tell-nobody');
  });

  test.each([
    { clientId: 'with space' },
    { clientId: 'with:colon' },
    { clientId: 'with%' },
    { clientId: '' },
    { clientSecret: '' },
    { clientSecret: 'ü' },
  ])('refuses what no client could send: %j', async (options) => {
    await expect(start(options)).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(await rowsOf('oauth_clients')).toEqual([]);
  });

  test('of several processes that start at once one creates it', async () => {
    const results = await Promise.all(Array.from({ length: 6 }, () => start()));
    expect(results.filter(({ client }) => client.clientSecret !== undefined)).toHaveLength(1);
    expect(new Set(results.map(({ client }) => client.clientId)).size).toBe(1);
    expect(await rowsOf('oauth_clients')).toHaveLength(1);
  });
});

describe('a later start', () => {
  test('finds the client and shows no secret', async () => {
    const first = await start();
    const again = await start();
    expect(again.created).toBe(false);
    expect(again.client).toEqual({ clientId: first.client.clientId, warnings: [] });
  });

  test('with the same given values: nothing to say', async () => {
    const options = { clientId: 'lms-backend', clientSecret: SECRET };
    await start(options);
    expect(await start(options)).toMatchObject({ created: false, client: { warnings: [] } });
    expect(await rowsOf('oauth_client_secrets')).toHaveLength(1);
  });

  test('with another secret: a warning, and the client stays as it is', async () => {
    await start({ clientId: 'lms-backend', clientSecret: SECRET });
    const { created, client } = await start({ clientId: 'lms-backend', clientSecret: 't'.repeat(43) });
    expect(created).toBe(false);
    expect(client.warnings).toEqual([expect.stringContaining('lms-backend')]);
    expect(JSON.stringify(client)).not.toContain('ttt');
    expect(await rowsOf('oauth_client_secrets')).toMatchObject([{ hash: sha256(SECRET) }]);
  });

  test('with an id that does not exist: it is created beside the first', async () => {
    await start();
    const { created, client } = await start({ clientId: 'second', clientSecret: SECRET });
    expect(created).toBe(true);
    expect(client).toEqual({ clientId: 'second', warnings: [] });
    expect(await rowsOf('oauth_clients')).toHaveLength(2);
  });
});
