import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_ACCOUNTS, DEMO_CLIENT, DEMO_PASSWORD } from '../../src/demo/school.ts';
import { connectClient } from '../support/client.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type Environment, type RunningServer, runServer, startServer } from '../support/server.ts';

const DEMO = { id: DEMO_CLIENT.clientId, secret: DEMO_CLIENT.clientSecret };

let database: Omit<TestDatabase, 'urls'>;
let server: RunningServer;
beforeAll(async () => {
  database = await createEmptyDatabase();
  server = await start({ DEMO: '1' });
});
afterAll(async () => {
  await server.stop();
  await database.drop();
});

const start = (environment: Environment) => startServer({ DATABASE_URL: database.ownerUrl, ...environment });

describe('A start with DEMO=1', () => {
  it('prints an account of each role, the password, the client and the receiver', async () => {
    const said = (await server.said(/Optio Connect is ready[\s\S]*Demo receiver .*\n/))?.[0];
    for (const { email, role } of DEMO_ACCOUNTS.slice(0, 3)) expect(said).toContain(`${email} (${role})`);
    for (const text of [DEMO_PASSWORD, DEMO.id, DEMO.secret, '/demo/receiver']) expect(said).toContain(text);
  });

  it('shows a week of deliveries to the demo client, and an empty log to the first one', async () => {
    const [demo, first] = [await connectClient(server, DEMO), await connectClient(server)];
    const query = '{ organization { name deliveries { totalCount { value } } } }';
    const shown = async (client: typeof demo) => (await client.graphql(query)).body;
    expect(await shown(demo)).toMatchObject({
      data: {
        organization: { name: 'Riverside School', deliveries: { totalCount: { value: expect.any(Number) } } },
      },
    });
    expect(await shown(first)).toMatchObject({
      data: { organization: { name: 'Optio Academy', deliveries: { totalCount: { value: 0 } } } },
    });
  });

  it('delivers what anybody sends to the built-in receiver, which verifies it', async () => {
    const client = await connectClient(server);
    const { body } = await client.post('/api/webhooks/subscriptions', {
      target_url: `${server.url}/demo/receiver/ok/mine`,
      event_types: ['webhook.test'],
    });
    const { id } = body as { id: string }; // As REST answers 201.
    expect((await client.post('/api/webhooks/test', { subscription_id: id })).status).toBe(202);
    const received = await eventually(async () => {
      const answer = await fetch(`${server.url}/demo/receiver`);
      const { requests } = (await answer.json()) as { requests: { path: string }[] }; // As the receiver answers.
      const found = requests.find(({ path }) => path.endsWith('/mine'));
      expect(found).toBeDefined();
      return found;
    }, 100);
    expect(received).toMatchObject({ event: 'webhook.test', verified: true, answer: 200 });
  });

  it('lets something happen at the demo school all the time, and stops in good order', async () => {
    const client = await connectClient(server, DEMO);
    const latest = async () => {
      const query = '{ organization { events(first: 1) { nodes { createdAt } } } }';
      const { body } = await client.graphql(query);
      // As the schema says.
      const { data } = body as { data: { organization: { events: { nodes: { createdAt: string }[] } } } };
      return data.organization.events.nodes[0]?.createdAt;
    };
    const before = await latest();
    await eventually(async () => expect(await latest()).not.toBe(before), 500);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.output()).not.toMatch(/ERROR|WARN /);
  });
});

describe('A later start', () => {
  it('with DEMO=1 finds the demo, and leads its subscriptions to the port of now', async () => {
    server = await start({ DEMO: '1' });
    const client = await connectClient(server, DEMO);
    const { body } = await client.get('/api/webhooks/subscriptions');
    const { data } = body as { data: { target_url: string }[] }; // As REST answers 200.
    expect(data).toHaveLength(8);
    for (const { target_url } of data)
      expect(target_url.startsWith(`${server.url}/demo/receiver/`)).toBe(true);
    await server.stop();
  });

  it('with DEMO=0 closes its client, has no receiver, and says nothing of it', async () => {
    server = await start({ DEMO: '0' });
    await expect(connectClient(server, DEMO)).rejects.toThrow('The client is suspended.');
    expect((await fetch(`${server.url}/demo/receiver`)).status).toBe(404);
    expect(server.output()).not.toMatch(/riverside/i);
    expect((await connectClient(server)).token).not.toBe('');
    await server.stop();
  });

  it('in production refuses DEMO=1 by its name', async () => {
    const refused = runServer({
      NODE_ENV: 'production',
      DEMO: '1',
      MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
      PUBLIC_URL: 'https://connect.optio.example',
      DATABASE_URL: database.ownerUrl,
    });
    expect((await refused.exited).code).toBe(1);
    expect(refused.output()).toContain('DEMO: expected 0 in production');
  });
});
