/** Secrets of clients: shown once, replaced with an overlap (rule 55). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/lib/ids.ts';
import { endSecretOverlap, rotateClientSecret } from '../../src/oauth/client-secret.ts';
import { type ClientsWorld, openClientsWorld, type Registered } from './clients-world.ts';
import { GRANT, inBody, refusal } from './harness.ts';

let world: ClientsWorld;

beforeAll(async () => {
  world = await openClientsWorld();
});
afterAll(() => world.close());

const machine = () => world.approved({ grantTypes: ['client_credentials'], redirectUris: [] });

/** Whether each secret opens the token endpoint. */
async function work(client: Registered, ...secrets: string[]): Promise<boolean[]> {
  const answers = await Promise.all(
    secrets.map((secret) => world.harness.post({ ...GRANT, ...inBody({ ...client, secret }) })),
  );
  return answers.map(({ status }) => status === 200);
}

describe('A rotation', () => {
  it('gives a new secret at once, and the old one dies at the end of the overlap (rule 55)', async () => {
    const client = await machine();
    const { clientSecret, overlapEndsAt } = await rotateClientSecret(world.as(), client.id, {
      overlapSeconds: 60,
    });
    expect(clientSecret).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(overlapEndsAt.getTime()).toBe(world.harness.clock.now().getTime() + 60_000);
    expect(await work(client, client.secret, clientSecret)).toEqual([true, true]);
    world.harness.clock.advance(59_999);
    expect(await work(client, client.secret)).toEqual([true]);
    world.harness.clock.advance(1);
    expect(await work(client, client.secret, clientSecret)).toEqual([false, true]);
  });

  it('without an overlap ends the old one at once (rule 55)', async () => {
    const client = await machine();
    expect(await work(client, client.secret)).toEqual([true]);
    const { clientSecret, client: after } = await rotateClientSecret(world.as(), client.id, {
      overlapSeconds: 0,
    });
    expect(await work(client, client.secret, clientSecret)).toEqual([false, true]);
    expect(after.secrets).toMatchObject([{ expiresAt: null }]);
  });

  it('within an overlap leaves two secrets at most: the oldest ends now', async () => {
    const client = await machine();
    const second = await rotateClientSecret(world.as(), client.id);
    const third = await rotateClientSecret(world.as(), client.id);
    expect(third.client.secrets).toMatchObject([{ expiresAt: null }, { expiresAt: third.overlapEndsAt }]);
    expect(await work(client, client.secret, second.clientSecret, third.clientSecret)).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('twice with one idempotency key is one, with the same answer', async () => {
    const client = await machine();
    const options = { idempotencyKey: newId(), expectedVersion: client.record.version };
    const first = await rotateClientSecret(world.as(), client.id, options);
    expect(await rotateClientSecret(world.as(), client.id, options)).toEqual({
      ...first,
      deduplicated: true,
    });
    const late = rotateClientSecret(world.as(), client.id, { expectedVersion: client.record.version });
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is refused for a public client, and for an overlap that is too long', async () => {
    const open = await world.approved({ type: 'PUBLIC' });
    await expect(rotateClientSecret(world.as(), open.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    const client = await machine();
    const long = rotateClientSecret(world.as(), client.id, { overlapSeconds: 2_592_001 });
    await expect(long).rejects.toMatchObject({ faults: [{ path: ['overlap_seconds'] }] });
  });

  it('is in the audit log without the secret (rule 56)', async () => {
    const client = await machine();
    const { clientSecret, overlapEndsAt } = await rotateClientSecret(world.as(), client.id);
    const entries = await world.auditOf(client.id);
    expect(entries.at(-1)).toMatchObject({
      action: 'oauth_client.secret_rotated',
      changes: { overlap_ends_at: { from: null, to: overlapEndsAt.toISOString() } },
    });
    expect(JSON.stringify(entries)).not.toContain(clientSecret);
  });
});

describe('An overlap', () => {
  it('can be ended before its time, once and for all (rule 55)', async () => {
    const client = await machine();
    const { clientSecret } = await rotateClientSecret(world.as(), client.id);
    const ended = await endSecretOverlap(world.as(), client.id);
    expect(ended.secrets).toMatchObject([{ expiresAt: null }]);
    expect(await work(client, client.secret, clientSecret)).toEqual([false, true]);
    expect(await endSecretOverlap(world.as(), client.id)).toMatchObject({ version: ended.version });
    expect(await world.auditOf(client.id)).toMatchObject([
      {},
      {},
      {},
      {
        action: 'oauth_client.overlap_ended',
        changes: { overlap_ends_at: { to: world.harness.clock.now().toISOString() } },
      },
    ]);
  });

  it('is ended by admins of the organization alone', async () => {
    const client = await machine();
    const student = endSecretOverlap(world.as({ role: 'STUDENT' }), client.id);
    await expect(student).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const other = endSecretOverlap(world.as({ organizationId: world.south }), client.id);
    await expect(other).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

it('a secret that is wrong is told from one that ended by nothing (rule 36)', async () => {
  const client = await machine();
  await rotateClientSecret(world.as(), client.id, { overlapSeconds: 0 });
  const ended = await world.harness.post({ ...GRANT, ...inBody(client) });
  const wrong = await world.harness.post({ ...GRANT, ...inBody({ ...client, secret: 'wrong' }) });
  expect(ended).toMatchObject(refusal(401, 'invalid_client'));
  expect(ended.body).toEqual(wrong.body);
});
