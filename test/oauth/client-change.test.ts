/** What becomes of a change of a client: what takes away is in force at once, what adds waits (docs/adr/0030). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { updateClient } from '../../src/oauth/client-registration.ts';
import { type ClientsWorld, openClientsWorld } from './clients-world.ts';
import { addPerson, allow, connect, exchange, opens, REDIRECT_URI } from './people.ts';

let world: ClientsWorld;

beforeAll(async () => {
  world = await openClientsWorld();
});
afterAll(() => world.close());

const EXTRA_URI = 'https://lms.example/second';

describe('A change of what was approved', () => {
  it('waits when it adds a redirect URI or a scope, while what was approved goes on', async () => {
    const client = await world.approved({ scopes: ['read:quests'] });
    const person = await addPerson(world.harness);
    const allowed = { client, person, scopes: ['read:quests'] };
    const { access } = await connect(world.harness, allowed);
    const changed = await updateClient(world.as(), client.id, {
      redirectUris: [REDIRECT_URI, EXTRA_URI],
      scopes: ['read:quests', 'write:tasks'],
    });
    expect(changed).toMatchObject({
      status: 'APPROVED',
      version: 3,
      inForce: { scopes: ['read:quests'], redirectUris: [REDIRECT_URI] },
      request: { scopes: ['read:quests', 'write:tasks'], redirectUris: [REDIRECT_URI, EXTRA_URI] },
    });
    expect(await opens(world.harness, access)).toBe(true);
    const answer = await exchange(world.harness, client, await allow(world.harness, allowed));
    expect(answer).toMatchObject({ status: 200, body: { scope: 'read:quests' } });
  });

  it('takes away at once, in tokens that are out already, too', async () => {
    const client = await world.approved({ scopes: ['read:quests', 'read:tasks'] });
    const person = await addPerson(world.harness);
    const { access } = await connect(world.harness, {
      client,
      person,
      scopes: ['read:quests', 'read:tasks'],
    });
    const guarded = (scope: string) =>
      world.harness.callResource(`/guarded/${scope}`, { authorization: `Bearer ${access}` });
    // The harness asks for no role: a person who passes the scope is refused for the role, by another word.
    expect((await guarded('read:tasks')).body.message).toMatch(/role/);
    const changed = await updateClient(world.as(), client.id, { scopes: ['read:quests'] });
    expect(changed).toMatchObject({ inForce: { scopes: ['read:quests'] }, request: null });
    expect((await guarded('read:tasks')).body.message).toMatch(/scope read:tasks/);
    expect((await guarded('read:quests')).body.message).toMatch(/role/);
  });

  it('that does both is split: the removed URI is gone, the new one waits', async () => {
    const { id } = await world.approved({ redirectUris: [REDIRECT_URI, 'https://lms.example/old'] });
    expect(await updateClient(world.as(), id, { redirectUris: [REDIRECT_URI, EXTRA_URI] })).toMatchObject({
      inForce: { redirectUris: [REDIRECT_URI] },
      request: { redirectUris: [REDIRECT_URI, EXTRA_URI] },
    });
  });

  it('takes a part of a scope as less than the whole', async () => {
    const { id } = await world.approved({ scopes: ['write'] });
    expect(await updateClient(world.as(), id, { scopes: ['read', 'write:tasks'] })).toMatchObject({
      inForce: { scopes: ['read', 'write:tasks'] },
      request: null,
    });
    expect(await updateClient(world.as(), id, { scopes: ['write'] })).toMatchObject({
      inForce: { scopes: ['read', 'write:tasks'] },
      request: { scopes: ['write'] },
    });
  });

  it('waits when it does without PKCE or adds a grant, and needs no one to go back', async () => {
    const { id } = await world.approved();
    const grantTypes = ['authorization_code', 'refresh_token', 'client_credentials'];
    expect(await updateClient(world.as(), id, { requiresPkce: false, grantTypes })).toMatchObject({
      inForce: { requiresPkce: true, grantTypes: ['authorization_code', 'refresh_token'] },
      request: { requiresPkce: false, grantTypes },
    });
    expect(
      await updateClient(world.as(), id, {
        requiresPkce: true,
        grantTypes: ['authorization_code', 'refresh_token'],
      }),
    ).toMatchObject({ request: null });
  });

  it('of its name waits for nobody', async () => {
    const { id } = await world.approved();
    const changed = await updateClient(world.as(), id, {
      name: 'Grades',
      homepageUrl: 'https://lms.example/',
    });
    expect(changed).toMatchObject({
      name: 'Grades',
      homepageUrl: 'https://lms.example/',
      request: null,
      status: 'APPROVED',
    });
  });

  it('is a conflict for another version than the present one, which is told', async () => {
    const { id } = await world.register();
    await expect(updateClient(world.as(), id, { name: 'Late', expectedVersion: 7 })).rejects.toMatchObject({
      code: 'CONFLICT',
      currentVersion: 1,
      current: { type: 'OAuthClient', id },
    });
  });

  it('that changes nothing is no new version and no entry in the audit log', async () => {
    const { id } = await world.approved();
    const before = (await world.auditOf(id)).length;
    expect(
      await updateClient(world.as(), id, { name: 'Gradebook', redirectUris: [REDIRECT_URI] }),
    ).toMatchObject({
      version: 2,
    });
    expect(await world.auditOf(id)).toHaveLength(before);
  });
});
