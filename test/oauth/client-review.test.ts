/** Clients in the hands of the platform's admins. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getClient, listClients, suspendClient, updateClient } from '../../src/oauth/client-registration.ts';
import { type ClientsWorld, ORIGIN, openClientsWorld } from './clients-world.ts';
import { GRANT, inBody, refusal } from './harness.ts';
import { REDIRECT_URI } from './people.ts';

let world: ClientsWorld;

beforeAll(async () => {
  world = await openClientsWorld();
});
afterAll(() => world.close());

const MACHINE = {
  grantTypes: ['client_credentials'],
  redirectUris: [],
  scopes: ['read', 'write:tasks'],
} as const;

const tokenOf = ({ clientId, secret }: { clientId: string; secret: string }) =>
  world.harness.post({ ...GRANT, ...inBody({ id: '', clientId, secret }) });

describe('An approval', () => {
  it('puts in force what was asked for, and the client works from the next request on (rule 16)', async () => {
    const client = await world.register(MACHINE);
    expect(await tokenOf(client)).toMatchObject(refusal(400, 'unauthorized_client'));
    expect(await world.decide(client.id, { decision: 'APPROVE' })).toMatchObject({
      status: 'APPROVED',
      inForce: { scopes: ['read', 'write:tasks'], grantTypes: ['client_credentials'] },
      request: null,
      version: 2,
    });
    expect(await tokenOf(client)).toMatchObject({ status: 200, body: { scope: 'read write:tasks' } });
  });

  it('may be of fewer scopes than were asked for, or of parts of them, and of no more', async () => {
    const client = await world.register(MACHINE);
    for (const scopes of [['read', 'write:grades'], ['all'], []]) {
      await expect(world.decide(client.id, { decision: 'APPROVE', scopes })).rejects.toMatchObject({
        code: 'VALIDATION',
      });
    }
    const approved = await world.decide(client.id, { decision: 'APPROVE', scopes: ['read:quests'] });
    expect(approved).toMatchObject({
      status: 'APPROVED',
      inForce: { scopes: ['read:quests'] },
      request: null,
    });
    expect(await tokenOf(client)).toMatchObject({ status: 200, body: { scope: 'read:quests' } });
  });

  it('is of what the reviewer saw: who changes the request meanwhile gets nothing approved', async () => {
    const client = await world.register();
    const seen = client.record.version;
    await updateClient(world.as(), client.id, { redirectUris: ['https://evil.example/cb'] });
    const blind = world.reviews.decide(world.reviewer(), client.id, {
      decision: 'APPROVE',
      expectedVersion: seen,
    });
    await expect(blind).rejects.toMatchObject({ code: 'CONFLICT', currentVersion: seen + 1 });
    expect(await getClient(world.as(), client.id)).toMatchObject({ status: 'PENDING' });
  });

  it('of a change replaces what was in force, also of a client that is suspended, which stays so', async () => {
    const { id } = await world.approved();
    await suspendClient(world.as(), id, { reason: 'Holidays.' });
    await updateClient(world.as(), id, { redirectUris: ['https://lms.example/new'] });
    expect(await world.decide(id, { decision: 'APPROVE' })).toMatchObject({
      status: 'SUSPENDED',
      statusReason: 'Holidays.',
      inForce: { redirectUris: ['https://lms.example/new'] },
      request: null,
    });
  });

  it('needs something that waits', async () => {
    const { id } = await world.approved();
    await expect(world.decide(id, { decision: 'APPROVE' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(world.decide(id, { decision: 'REJECT', reason: 'No.' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});

describe('A rejection', () => {
  it('says why, keeps what was asked for, and lets the organization ask again (rule 16)', async () => {
    const client = await world.register(MACHINE);
    const rejected = await world.decide(client.id, { decision: 'REJECT', reason: 'Ask for less.' });
    expect(rejected).toMatchObject({
      status: 'REJECTED',
      statusReason: 'Ask for less.',
      request: { scopes: MACHINE.scopes },
      inForce: { scopes: [] },
    });
    expect(await tokenOf(client)).toMatchObject({ ...refusal(400, 'unauthorized_client') });
    const queue = await world.reviews.list(world.reviewer(), { awaitsReview: true }, { limit: 100 });
    expect(queue.items.map(({ id }) => id)).not.toContain(client.id);
    const again = await updateClient(world.as(), client.id, { scopes: ['read:quests'] });
    expect(again).toMatchObject({
      status: 'PENDING',
      statusReason: null,
      request: { scopes: ['read:quests'] },
    });
    expect(await world.decide(client.id, { decision: 'APPROVE' })).toMatchObject({ status: 'APPROVED' });
  });

  it('of a change leaves the client as it was, and tells why', async () => {
    const { id } = await world.approved();
    await updateClient(world.as(), id, { redirectUris: [REDIRECT_URI, 'https://lms.example/new'] });
    const reason = 'Who is that?';
    expect(await world.decide(id, { decision: 'REJECT', reason })).toMatchObject({
      status: 'APPROVED',
      statusReason: reason,
      inForce: { redirectUris: [REDIRECT_URI] },
      request: null,
    });
  });

  it('has a reason', async () => {
    const { id } = await world.register();
    await expect(world.decide(id, { decision: 'REJECT', reason: '' })).rejects.toMatchObject({
      faults: [{ path: ['reason'] }],
    });
  });
});

describe('A suspension by the platform', () => {
  it('stops a client, takes over what its organization suspended, and is lifted by the platform', async () => {
    const client = await world.approved(MACHINE);
    await suspendClient(world.as(), client.id, { reason: 'By us.' });
    expect(await world.decide(client.id, { decision: 'SUSPEND', reason: 'By the platform.' })).toMatchObject({
      status: 'SUSPENDED',
      isSuspendedByPlatform: true,
      statusReason: 'By the platform.',
    });
    expect(await tokenOf(client)).toMatchObject(refusal(400, 'unauthorized_client'));
    expect(await world.decide(client.id, { decision: 'RESUME' })).toMatchObject({
      status: 'APPROVED',
      isSuspendedByPlatform: false,
      statusReason: null,
    });
    expect((await tokenOf(client)).status).toBe(200);
  });

  it('is of a client that was approved', async () => {
    const { id } = await world.register();
    await expect(world.decide(id, { decision: 'SUSPEND', reason: 'No.' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(world.decide(id, { decision: 'RESUME' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('Only an admin of the platform who has signed in', () => {
  it.each([
    ['an ADMIN of the organization', { session: { id: 'x', isPlatformAdmin: false } }],
    ['a token of an admin of the platform', { scopes: ['write'], clientId: 'client' }],
  ])('reviews: %s is refused by the feature itself (rule 51)', async (_, change) => {
    const client = await world.register();
    const reviewer = world.reviewer(change);
    const acts = [
      world.reviews.list(reviewer, {}, { limit: 1 }),
      world.reviews.count(reviewer, {}),
      world.reviews.find(reviewer, { id: client.id }),
      world.reviews.decide(reviewer, client.id, { decision: 'APPROVE', expectedVersion: 1 }),
    ];
    const outcomes = await Promise.allSettled(acts);
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code)).toEqual(
      acts.map(() => 'FORBIDDEN'),
    );
    expect(await getClient(world.as(), client.id)).toMatchObject({ status: 'PENDING' });
  });

  it('sees the clients of all organizations, and which of them wait', async () => {
    const client = await world.register();
    const changed = await world.approved();
    await updateClient(world.as(), changed.id, { redirectUris: ['https://lms.example/other'] });
    const settled = await world.approved();
    const queue = await world.reviews.list(world.reviewer(), { awaitsReview: true }, { limit: 100 });
    const ids = queue.items.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining([client.id, changed.id]));
    expect(ids).not.toContain(settled.id);
    expect(queue.items.find(({ id }) => id === client.id)).toMatchObject({
      organizationId: world.harness.organizationId,
      organizationName: 'Optio Academy',
    });
    expect(await world.reviews.count(world.reviewer(), { awaitsReview: true })).toEqual({
      value: ids.length,
      isExact: true,
    });
    // While an ADMIN of the other organization sees none of them.
    const { items } = await listClients(world.as({ organizationId: world.south }), {}, { limit: 100 });
    expect(items).toEqual([]);
  });
});

describe('The audit log of the organization (rule 56)', () => {
  it('tells each act with who did it and what is different, and no secret', async () => {
    const client = await world.register({ scopes: ['read', 'write'], preset: 'moodle' });
    await world.decide(client.id, { decision: 'APPROVE', scopes: ['read'] });
    await updateClient(world.as(), client.id, { name: 'Grades' });
    await world.decide(client.id, { decision: 'SUSPEND', reason: 'Abuse.' });
    const entries = await world.auditOf(client.id);
    expect(entries).toMatchObject([
      {
        organization_id: world.harness.organizationId,
        action: 'oauth_client.registered',
        address: ORIGIN.address,
        target_label: 'Gradebook',
        changes: {
          client_id: { from: null, to: client.clientId },
          preset: { to: 'moodle' },
          status: { to: 'PENDING' },
          requested: {
            to: { scopes: ['read', 'write'], redirect_uris: [REDIRECT_URI], requires_pkce: false },
          },
        },
      },
      {
        organization_id: world.harness.organizationId,
        action: 'oauth_client.approved',
        actor_kind: 'USER',
        actor_id: world.platformAdmin.id,
        actor_label: world.platformAdmin.email,
        changes: {
          status: { from: 'PENDING', to: 'APPROVED' },
          scopes: { from: [], to: ['read'] },
          requires_pkce: { from: true, to: false },
          requested: { from: { scopes: ['read', 'write'] }, to: null },
        },
      },
      { action: 'oauth_client.updated', changes: { name: { from: 'Gradebook', to: 'Grades' } } },
      {
        action: 'oauth_client.suspended',
        changes: { status: { from: 'APPROVED', to: 'SUSPENDED' }, reason: { from: null, to: 'Abuse.' } },
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain(client.secret);
  });
});
