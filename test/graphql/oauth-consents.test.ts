/** Consents and connected apps through GraphQL: what is answered, and to whom. */
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { globalId } from '../../src/graphql/global-id.ts';
import { newId } from '../../src/lib/ids.ts';
import { createConnectedApps } from '../../src/oauth/connected-app.ts';
import { graphql } from '../generated/gql/index.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { execute, kindOf, read, startServer, type TestServer } from './support.ts';
import { ADMIN_ID, NORTH, SOUTH, VIEWERS } from './viewers.ts';

const CONSENTS = graphql(`
  query Consents($filter: OAuthConsentFilter, $first: Int, $after: Cursor) {
    organization {
      oauthConsents(filter: $filter, first: $first, after: $after) {
        nodes { id clientId clientName userId userName userEmail scopes createdAt updatedAt lastUsedAt }
        totalCount { value }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
const REVOKE = graphql(`
  mutation RevokeConsent($input: RevokeOAuthConsentInput!) {
    revokeOAuthConsent(input: $input) {
      __typename
      ... on RevokeOAuthConsentPayload { consentId }
      ... on Error { message }
    }
  }
`);
const REVOKE_ALL = graphql(`
  mutation RevokeConsents($input: RevokeOAuthConsentsInput!) {
    revokeOAuthConsents(input: $input) {
      __typename
      ... on RevokeOAuthConsentsPayload { count }
      ... on Error { message }
    }
  }
`);
const APPS = graphql(`
  query ConnectedApps {
    viewer {
      connectedApps { id clientId name homepageUrl organizationId organizationName scopes createdAt lastUsedAt }
    }
  }
`);
const DISCONNECT = graphql(`
  mutation Disconnect($input: RevokeConnectedAppInput!) {
    revokeConnectedApp(input: $input) {
      __typename
      ... on RevokeConnectedAppPayload { connectedAppId }
      ... on Error { message }
    }
  }
`);
const NODE = graphql(`
  query ConsentNode($id: ID!) {
    node(id: $id) { __typename ... on OAuthConsent { userEmail } ... on ConnectedApp { name } }
  }
`);

let database: TestDatabase;
let server: TestServer;
let pool: Pool;
let people: readonly string[];

/** Somebody of this number who has signed in. */
function session(index: number, role: Viewer['role'] = 'STUDENT'): Viewer {
  const base = VIEWERS['north-student'] as Viewer; // It is there.
  const userId = people[index] ?? ADMIN_ID;
  return { ...base, role, userId, session: { id: newId(), isPlatformAdmin: false } };
}

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.urls.authUrl, max: 3 });
  server = await startServer(
    ({ webhooks: { clock }, authenticate }) => ({
      connectedApps: createConnectedApps({ pool, clock }),
      authenticate: async (headers) => {
        const [, index] = /^Bearer person-(\d)$/.exec(headers.get('authorization') ?? '') ?? [];
        return index === undefined ? authenticate(headers) : session(Number(index));
      },
    }),
    database,
  );
  people = await Promise.all(['ada', 'bea', 'cy'].map((name) => addPerson(name)));
});
afterAll(async () => {
  await server.close();
  await pool.end();
  await database.drop();
});

async function addPerson(name: string, organizationId = NORTH): Promise<string> {
  const id = newId();
  await server.sql('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [
    id,
    `${name}@x.example`,
    name,
  ]);
  await join(id, organizationId);
  return id;
}

async function join(userId: string, organizationId: string): Promise<void> {
  const values = [organizationId, userId];
  await server.sql(
    `INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'STUDENT')`,
    values,
  );
}

async function addClient(organizationId = NORTH): Promise<{ id: string; clientId: string }> {
  const id = newId();
  const clientId = `client${id.replaceAll('-', '').slice(-14)}`;
  await server.sql(
    `INSERT INTO oauth_clients (organization_id, id, client_id, name, type, status, grant_types, scopes)
     VALUES ($1, $2, $3, 'Moodle', 'CONFIDENTIAL', 'APPROVED', '{authorization_code}', '{read}')`,
    [organizationId, id, clientId],
  );
  return { id, clientId };
}

/** A consent with one grant, which was used; answers the id of the consent. */
async function consent(userId: string, clientRef: string, organizationId = NORTH): Promise<string> {
  const id = newId();
  await server.sql(
    `INSERT INTO oauth_consents (organization_id, id, user_id, client_ref, scopes)
     VALUES ($1, $2, $3, $4, '{read}')`,
    [organizationId, id, userId, clientRef],
  );
  await server.sql(
    `INSERT INTO oauth_grants (organization_id, id, user_id, client_ref, scopes, expires_at, last_used_at)
     VALUES ($1, $2, $3, $4, '{read}', '2027-01-01', '2026-11-20T10:00:00Z')`,
    [organizationId, newId(), userId, clientRef],
  );
  return id;
}

async function liveGrants(clientRef: string): Promise<number> {
  const alive = 'SELECT FROM oauth_grants WHERE client_ref = $1 AND revoked_at IS NULL';
  return (await server.sql(alive, [clientRef])).length;
}

async function list(variables: object = {}, token = 'north-admin') {
  const answer = await read(server, token, CONSENTS, variables);
  return answer.organization?.oauthConsents;
}

describe('the consents of an organization', () => {
  test('are listed by client and by member, newest first, in pages', async () => {
    const [client, other] = [await addClient(), await addClient()];
    const [ada = '', bea = ''] = people;
    const [first, second] = [await consent(ada, client.id), await consent(bea, client.id)];
    await consent(ada, other.id);
    const filter = { clientId: client.clientId };
    const page = await list({ filter, first: 1 });
    expect(page).toMatchObject({
      nodes: [
        {
          id: globalId('OAuthConsent', second),
          clientId: client.clientId,
          clientName: 'Moodle',
          userId: globalId('User', bea),
          userName: 'bea',
          userEmail: 'bea@x.example',
          scopes: ['read'],
          lastUsedAt: '2026-11-20T10:00:00.000Z',
        },
      ],
      totalCount: { value: 2 },
      pageInfo: { hasNextPage: true },
    });
    const next = await list({ filter, first: 1, after: page?.pageInfo.endCursor });
    expect(next?.nodes.map(({ id }) => id)).toEqual([globalId('OAuthConsent', first)]);
    const both = { filter: { ...filter, userId: globalId('User', ada) } };
    expect((await list(both))?.nodes.map(({ id }) => id)).toEqual([globalId('OAuthConsent', first)]);
    const nobodys = [{ clientId: 'nobody' }, { clientId: '\0' }, { userId: 'nobody' }];
    for (const one of nobodys)
      expect(await list({ filter: one })).toMatchObject({ nodes: [], totalCount: { value: 0 } });
  });

  test('are not there for another organization', async () => {
    const client = await addClient(SOUTH);
    const stranger = await addPerson(`dee-${newId()}`, SOUTH);
    const id = await consent(stranger, client.id, SOUTH);
    expect((await list({ filter: { clientId: client.clientId } }))?.nodes).toEqual([]);
    const input = { consentId: globalId('OAuthConsent', id) };
    const one = await read(server, 'north-admin', REVOKE, { input });
    expect(kindOf(one.revokeOAuthConsent)).toBe('NotFoundError');
    const all = await read(server, 'north-admin', REVOKE_ALL, { input: { clientId: client.clientId } });
    expect(kindOf(all.revokeOAuthConsents)).toBe('NotFoundError');
    expect((await read(server, 'north-admin', NODE, { id: input.consentId })).node).toBeNull();
    expect(await liveGrants(client.id)).toBe(1);
  });

  test.each(['north', 'north-admin-token', 'north-student', 'north-student-token'])(
    'are for an admin who is signed in, not for %s',
    async (token) => {
      const client = await addClient();
      const id = await consent(people[0] ?? '', client.id);
      const { errors } = await execute(server, token, CONSENTS, {});
      expect(errors?.[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
      const input = { consentId: globalId('OAuthConsent', id) };
      expect(kindOf((await read(server, token, REVOKE, { input })).revokeOAuthConsent)).toBe(
        'ForbiddenError',
      );
      const ofClient = { input: { clientId: client.clientId } };
      expect(kindOf((await read(server, token, REVOKE_ALL, ofClient)).revokeOAuthConsents)).toBe(
        'ForbiddenError',
      );
      expect(await liveGrants(client.id)).toBe(1);
    },
  );

  test('are taken back one by one, with what rests on them, and recorded (rule 23)', async () => {
    const client = await addClient();
    const [ada = '', bea = ''] = people;
    const id = globalId('OAuthConsent', await consent(ada, client.id));
    await consent(bea, client.id);
    expect((await read(server, 'north-admin', NODE, { id })).node).toMatchObject({
      userEmail: 'ada@x.example',
    });
    const revoke = () => read(server, 'north-admin', REVOKE, { input: { consentId: id } });
    expect((await revoke()).revokeOAuthConsent).toEqual({
      __typename: 'RevokeOAuthConsentPayload',
      consentId: id,
    });
    expect(kindOf((await revoke()).revokeOAuthConsent)).toBe('NotFoundError');
    expect(await liveGrants(client.id)).toBe(1);
    const entries = await server.sql('SELECT * FROM audit_entries WHERE target_id = $1', [client.id]);
    expect(entries).toMatchObject([
      {
        organization_id: NORTH,
        action: 'oauth_consent.revoked',
        actor_id: ADMIN_ID,
        changes: { person: { from: 'ada@x.example', to: null }, scopes: { from: ['read'], to: null } },
      },
    ]);
  });

  test('of a client are taken back together, once (rule 23)', async () => {
    const client = await addClient();
    for (const person of people) await consent(person, client.id);
    const input = { clientId: client.clientId };
    const revoke = async () => (await read(server, 'north-admin', REVOKE_ALL, { input })).revokeOAuthConsents;
    expect(await revoke()).toEqual({ __typename: 'RevokeOAuthConsentsPayload', count: 3 });
    expect(await revoke()).toEqual({ __typename: 'RevokeOAuthConsentsPayload', count: 0 });
    expect(await liveGrants(client.id)).toBe(0);
    const entries = await server.sql('SELECT * FROM audit_entries WHERE target_id = $1', [client.id]);
    expect(entries).toMatchObject([{ changes: { people: { from: 3, to: 0 } } }]);
  });
});

describe('the connected apps of a viewer', () => {
  test('are the own ones, of every organization', async () => {
    const [north, south] = [await addClient(), await addClient(SOUTH)];
    const cy = people[2] ?? '';
    await join(cy, SOUTH);
    const ids = [await consent(cy, north.id), await consent(cy, south.id, SOUTH)];
    const { viewer } = await read(server, 'person-2', APPS, {});
    expect(viewer?.connectedApps).toMatchObject([
      { id: globalId('ConnectedApp', ids[1] ?? ''), organizationName: 'South', clientId: south.clientId },
      {
        id: globalId('ConnectedApp', ids[0] ?? ''),
        organizationId: globalId('Organization', NORTH),
        organizationName: 'North',
        name: 'Moodle',
        scopes: ['read'],
        lastUsedAt: '2026-11-20T10:00:00.000Z',
      },
    ]);
    const id = globalId('ConnectedApp', ids[1] ?? '');
    expect((await read(server, 'person-2', NODE, { id })).node).toMatchObject({ name: 'Moodle' });
    expect((await read(server, 'person-1', NODE, { id })).node).toBeNull();
  });

  test('are disconnected with all they hold, by whom they are of (rule 23)', async () => {
    const client = await addClient();
    const connectedAppId = globalId('ConnectedApp', await consent(people[0] ?? '', client.id));
    const disconnect = async (token: string) =>
      kindOf((await read(server, token, DISCONNECT, { input: { connectedAppId } })).revokeConnectedApp);
    expect(await disconnect('person-1')).toBe('NotFoundError');
    expect(await liveGrants(client.id)).toBe(1);
    expect(await disconnect('person-0')).toBe('RevokeConnectedAppPayload');
    expect(await disconnect('person-0')).toBe('NotFoundError');
    expect(await liveGrants(client.id)).toBe(0);
  });

  test.each(['north', 'north-student-token', 'north-admin-token'])(
    'are nothing to a token: %s',
    async (token) => {
      expect((await read(server, token, APPS, {})).viewer?.connectedApps).toBeNull();
      const input = { connectedAppId: globalId('ConnectedApp', newId()) };
      expect(kindOf((await read(server, token, DISCONNECT, { input })).revokeConnectedApp)).toBe(
        'ForbiddenError',
      );
    },
  );
});
