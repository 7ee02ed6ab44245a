import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { call, startServer, type TestServer } from './support.ts';

const PATH = '/api/webhooks/subscriptions';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(() => server.sql('DELETE FROM webhook_subscriptions'));

type Body = Record<string, unknown>;

describe('Idempotency-Key', () => {
  const withKey = (key: string, path: string, body?: object) =>
    call(server, `POST ${path}`, { token: 'north', headers: { 'Idempotency-Key': key }, body });
  const hook = { target_url: 'https://lms.example.com/hooks/optio', event_type: '*' };

  it('creates one subscription out of 8 parallel requests, and each is answered with its secret', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => withKey('create-1', PATH, hook)));
    const bodies = answers.map(({ status, body }) => {
      expect(status).toBe(201);
      return body as Body; // It is an object.
    });
    expect(new Set(bodies.map(({ secret }) => secret)).size).toBe(1);
    expect(bodies.filter(({ deduplicated }) => deduplicated === false)).toHaveLength(1);
    expect(await server.sql('SELECT FROM webhook_subscriptions')).toHaveLength(1);
  });

  it('refuses the same key for something else with 409, and one that is none with 422', async () => {
    await withKey('create-2', PATH, hook);
    expect(await withKey('create-2', PATH, { ...hook, description: 'x' })).toMatchObject({ status: 409 });
    expect(await withKey('x'.repeat(201), PATH, hook)).toMatchObject({
      status: 422,
      body: { errors: [{ path: 'idempotency_key' }] },
    });
    expect(await server.sql('SELECT FROM webhook_subscriptions')).toHaveLength(1);
  });

  it('rotates a secret once, and sends a test event once', async () => {
    const { id } = (await withKey('create-3', PATH, hook)).body as { id: string }; // It was created.
    const rotated = await withKey('rotate', `${PATH}/${id}/rotate-secret`);
    const again = await withKey('rotate', `${PATH}/${id}/rotate-secret`);
    expect(again.body).toEqual({ ...(rotated.body as Body), deduplicated: true }); // It is an object.
    expect(await server.sql('SELECT FROM webhook_secrets WHERE subscription_id = $1', [id])).toHaveLength(2);

    const sent = await withKey('test', '/api/webhooks/test', { subscription_id: id });
    expect(sent).toMatchObject({ status: 202, body: { deduplicated: false } });
    expect(await withKey('test', '/api/webhooks/test', { subscription_id: id })).toMatchObject({
      status: 202,
      body: { ...(sent.body as Body), deduplicated: true }, // It is an object.
    });
    expect(await server.sql('SELECT FROM deliveries WHERE subscription_id = $1', [id])).toHaveLength(1);
  });
});
