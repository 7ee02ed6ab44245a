/** Clients in the hands of their organization. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import {
  countOwnClients,
  deleteClient,
  findOwnClient,
  getClient,
  listClients,
  MAX_CLIENTS,
  registerClient,
  resumeClient,
  suspendClient,
  updateClient,
} from '../../src/oauth/client-registration.ts';
import { rotateClientSecret } from '../../src/oauth/client-secret.ts';
import { type ClientsWorld, openClientsWorld } from './clients-world.ts';
import { GRANT, inBody, refusal } from './harness.ts';
import { addPerson, connect, opens, REDIRECT_URI } from './people.ts';

let world: ClientsWorld;

beforeAll(async () => {
  world = await openClientsWorld();
});
afterAll(() => world.close());

describe('A client that is registered', () => {
  it('waits, has a secret of 43 characters that is stored as a hash, and nothing of it is in force (rule 16)', async () => {
    const { client, clientSecret, deduplicated } = await registerClient(world.as(), {
      name: ' Gradebook ',
      redirectUris: [REDIRECT_URI, REDIRECT_URI],
      scopes: ['read:quests'],
    });
    expect(deduplicated).toBe(false);
    expect(clientSecret).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(client).toMatchObject({
      clientId: expect.stringMatching(/^[A-Za-z0-9]{20}$/),
      name: 'Gradebook',
      type: 'CONFIDENTIAL',
      status: 'PENDING',
      inForce: { scopes: [], redirectUris: [], grantTypes: [], requiresPkce: true },
      request: {
        scopes: ['read:quests'],
        redirectUris: [REDIRECT_URI],
        grantTypes: ['authorization_code', 'refresh_token'],
        requiresPkce: true,
      },
      secrets: [{ expiresAt: null }],
      version: 1,
    });
    const stored = await world.sql('SELECT * FROM oauth_client_secrets WHERE client_ref = $1', [client.id]);
    expect(stored).toHaveLength(1);
    expect(JSON.stringify(stored)).not.toContain(clientSecret);
    const form = { ...GRANT, ...inBody({ ...client, secret: clientSecret ?? '' }) };
    expect(await world.harness.post(form)).toMatchObject(refusal(400, 'unauthorized_client'));
  });

  it('has what its preset says where nothing is said: Moodle and Canvas cannot send PKCE', async () => {
    const [moodle, canvas, classroom, strict] = await Promise.all([
      world.register({ preset: 'moodle' }),
      world.register({ preset: 'canvas' }),
      world.register({ preset: 'google_classroom' }),
      world.register({ preset: 'moodle', requiresPkce: true }),
    ]);
    const pkce = [moodle, canvas, classroom, strict].map(({ record }) => record.request?.requiresPkce);
    expect(pkce).toEqual([false, false, true, true]);
    expect(moodle?.record.preset).toBe('moodle');
  });

  it('has no secret when it is public, and always needs PKCE', async () => {
    const { secret, record } = await world.register({ type: 'PUBLIC', preset: 'moodle' });
    expect(secret).toBe('');
    expect(record).toMatchObject({ type: 'PUBLIC', secrets: [], request: { requiresPkce: true } });
    await expect(world.register({ type: 'PUBLIC', requiresPkce: false })).rejects.toMatchObject({
      faults: [{ path: ['requires_pkce'] }],
    });
  });

  it('is the same one, with its secret, for the same idempotency key', async () => {
    const input = { name: 'Once', redirectUris: [REDIRECT_URI], idempotencyKey: newId() };
    const first = await registerClient(world.as(), input);
    const again = await registerClient(world.as(), input);
    expect(again).toEqual({ ...first, deduplicated: true });
  });

  it('is refused with every fault at once, each with its path', async () => {
    const input = {
      name: '',
      preset: 'brightspace',
      redirectUris: [REDIRECT_URI, 'http://lms.example/cb'],
      grantTypes: ['refresh_token', 'password'],
      scopes: ['read:everything'],
      homepageUrl: 'javascript:alert(1)',
    };
    const { faults } = await registerClient(world.as(), input).catch((error: unknown) => Object(error));
    expect(faults.map(({ path }: { path: unknown[] }) => path.join('.'))).toEqual([
      'preset',
      'name',
      'homepage_url',
      'redirect_uris.1',
      'grant_types.1',
      'grant_types',
      'scopes.0',
    ]);
  });

  it('cannot turn the direction of what people read on the consent screen around', async () => {
    await expect(world.register({ name: 'Optio \u202eelgooG' })).rejects.toMatchObject({
      code: 'VALIDATION',
    });
  });

  it(`is refused beyond ${MAX_CLIENTS} of an organization`, async () => {
    await world.sql(
      `INSERT INTO oauth_clients (organization_id, id, client_id, name, type)
       SELECT $1, gen_random_uuid(), 'many-' || n, 'Many', 'PUBLIC' FROM generate_series(1, ${MAX_CLIENTS}) AS n`,
      [world.south],
    );
    const many = registerClient(world.as({ organizationId: world.south }), {
      name: 'One more',
      redirectUris: [REDIRECT_URI],
    });
    await expect(many).rejects.toMatchObject({ code: 'CONFLICT' });
    await world.sql(`DELETE FROM oauth_clients WHERE name = 'Many'`);
  });
});

describe('Only an ADMIN who has signed in', () => {
  it.each([
    ['an educator', { role: 'EDUCATOR' }],
    ['a student', { role: 'STUDENT' }],
    ['a token of an admin', { scopes: ['write', 'write:webhooks'], clientId: 'client' }],
    [
      'a client that acts for its organization',
      { role: 'CLIENT', scopes: ['write'], userId: null, clientId: 'client' },
    ],
  ] as const)('has to do with clients: %s is refused by the feature itself (rule 51)', async (_, change) => {
    const { id } = await world.register();
    const context = world.as(change);
    const acts = [
      registerClient(context, { name: 'Mine', redirectUris: [REDIRECT_URI] }),
      listClients(context, {}, { limit: 1 }),
      countOwnClients(context, {}),
      getClient(context, id),
      findOwnClient(context, { id }),
      updateClient(context, id, { name: 'Mine' }),
      suspendClient(context, id, { reason: 'Mine.' }),
      resumeClient(context, id),
      rotateClientSecret(context, id),
      deleteClient(context, id),
    ];
    const outcomes = await Promise.allSettled(acts);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
      acts.map(() => 'FORBIDDEN'),
    );
  });

  it('of the same organization: what is of another one does not exist', async () => {
    const { id, clientId } = await world.register();
    const context = world.as({ organizationId: world.south });
    const acts = [
      getClient(context, id),
      updateClient(context, id, { name: 'Ours' }),
      suspendClient(context, id, { reason: 'Ours.' }),
      rotateClientSecret(context, id),
      deleteClient(context, id),
    ];
    const outcomes = await Promise.allSettled(acts);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
      acts.map(() => 'NOT_FOUND'),
    );
    expect(await findOwnClient(context, { clientId })).toBeNull();
    const { items } = await listClients(context, {}, { limit: 100 });
    expect(items.map((client) => client.id)).not.toContain(id);
    await expect(
      registerClient(context, {
        name: 'Theirs',
        redirectUris: [REDIRECT_URI],
        organizationId: world.harness.organizationId,
      }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('A suspended client', () => {
  it('is stopped and its tokens end for good; resumed, it gets new ones (rule 16)', async () => {
    const client = await world.approved();
    const person = await addPerson(world.harness);
    const tokens = await connect(world.harness, { client, person, scopes: ['read'] });
    const suspended = await suspendClient(world.as(), client.id, { reason: 'The LMS was broken into.' });
    expect(suspended).toMatchObject({ status: 'SUSPENDED', statusReason: 'The LMS was broken into.' });
    expect(await opens(world.harness, tokens.access)).toBe(false);
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh, ...inBody(client) };
    expect(await world.harness.post(form)).toMatchObject(refusal(400, 'unauthorized_client'));
    expect(await resumeClient(world.as(), client.id)).toMatchObject({
      status: 'APPROVED',
      statusReason: null,
    });
    expect(await opens(world.harness, tokens.access)).toBe(false);
    expect(await world.harness.post(form)).toMatchObject(refusal(400, 'invalid_grant'));
    const again = await connect(world.harness, { client, person, scopes: ['read'] });
    expect(await opens(world.harness, again.access)).toBe(true);
  });

  it('by the platform cannot be resumed by its organization', async () => {
    const { id } = await world.approved();
    await world.decide(id, { decision: 'SUSPEND', reason: 'Abuse.' });
    await expect(resumeClient(world.as(), id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await getClient(world.as(), id)).toMatchObject({
      status: 'SUSPENDED',
      isSuspendedByPlatform: true,
    });
  });

  it('was approved before: one that waits cannot be suspended, nor one resumed that is not suspended', async () => {
    const { id } = await world.register();
    await expect(suspendClient(world.as(), id, { reason: 'No.' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(resumeClient(world.as(), id)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(suspendClient(world.as(), id, { reason: ' ' })).rejects.toMatchObject({
      code: 'VALIDATION',
    });
  });
});

describe('A deleted client', () => {
  it('is gone with its secrets, consents, grants and tokens', async () => {
    const client = await world.approved();
    const person = await addPerson(world.harness);
    const tokens = await connect(world.harness, { client, person, scopes: ['read'] });
    await deleteClient(world.as(), client.id);
    expect(await opens(world.harness, tokens.access)).toBe(false);
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh, ...inBody(client) };
    expect(await world.harness.post(form)).toMatchObject(refusal(401, 'invalid_client'));
    for (const table of ['oauth_client_secrets', 'oauth_consents', 'oauth_grants']) {
      expect(await world.sql(`SELECT FROM ${table} WHERE client_ref = $1`, [client.id])).toEqual([]);
    }
    await expect(getClient(world.as(), client.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('The list', () => {
  it('is of the organization alone, newest first, in pages, by status', async () => {
    const [first, second] = [
      await world.register({ name: 'First' }),
      await world.approved({ name: 'Second' }),
    ];
    const page = await listClients(world.as(), {}, { limit: 2 });
    expect(page.items.map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(page.hasMore).toBe(true);
    const before = await listClients(world.as(), {}, { limit: 1, after: second.id });
    expect(before.items.map(({ id }) => id)).toEqual([first.id]);
    const approved = await listClients(world.as(), { status: 'APPROVED' }, { limit: 100 });
    expect(new Set(approved.items.map(({ status }) => status))).toEqual(new Set(['APPROVED']));
    const { value } = await countOwnClients(world.as(), { status: 'APPROVED' });
    expect(value).toBe(approved.items.length);
  });
});
