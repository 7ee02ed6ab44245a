/** GraphiQL (GraphQL convention 11): who is shown the page, what it may load, and that its examples work as they stand. */
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGraphiQLRoutes, EXAMPLES } from '../../src/graphql/graphiql/routes.ts';
import { openWorld, type World } from '../support/world.ts';
import { startServer, type TestServer } from './support.ts';

let world: World;
let server: TestServer;

beforeAll(async () => {
  world = await openWorld();
  const expiresAt = new Date(world.clock.now().getTime() + 3_600_000);
  server = await startServer(
    ({ authenticate }) => ({
      subscribeToUpdates: world.updates.subscribe,
      authenticate: async (headers) => {
        const viewer = await authenticate(headers);
        return viewer === null ? null : { ...viewer, expiresAt };
      },
    }),
    world.database,
  );
});
afterAll(async () => {
  await server.close();
  await world.close();
});

const nameOf = (example: string): string =>
  /^(?:query|mutation|subscription) (\w+)/m.exec(example)?.[1] ?? '';

describe('An example', () => {
  /** What only an answer without errors holds. */
  const ANSWERS: Readonly<Record<string, object>> = {
    Viewer: { viewer: { role: 'CLIENT', organization: { slug: 'north' } } },
    CreateWebhookSubscription: {
      createWebhookSubscription: { secret: expect.stringMatching(/^whsec_/), deduplicated: false },
    },
    WebhookSubscriptions: { organization: { webhookSubscriptions: { nodes: [{ status: 'ACTIVE' }] } } },
    EmitEvent: { emitEvent: { __typename: 'EmitEventPayload', deliveryCount: 1 } },
    Deliveries: { organization: { deliveries: { nodes: [{ eventType: 'badge.earned', attempts: [] }] } } },
    LiveUpdates: { deliveryUpdates: { __typename: 'StreamReady' } },
  };

  test('is there for each part of the API that a newcomer meets', () => {
    expect(EXAMPLES.map(nameOf)).toEqual(Object.keys(ANSWERS));
  });

  // In the order of the tabs, each on what those before it left.
  test.for(EXAMPLES.map((example) => [nameOf(example), example] as const))(
    '%s works as it stands',
    async ([name, query]) => {
      const client = createClient({
        url: server.url,
        headers: { authorization: 'Bearer north' },
        retryAttempts: 0,
      });
      const results = client.iterate({ query });
      const { value } = await results.next();
      expect(value?.errors).toBeUndefined();
      expect(value?.data).toMatchObject(ANSWERS[name] ?? {});
      await results.return?.();
      client.dispose();
    },
  );

  test('does not create another subscription when it is run again', async () => {
    const query = EXAMPLES.find((example) => nameOf(example) === 'CreateWebhookSubscription') ?? '';
    const client = createClient({ url: server.url, headers: { authorization: 'Bearer north' } });
    const { value } = await client.iterate({ query }).next();
    expect(value?.data).toMatchObject({ createWebhookSubscription: { deduplicated: true } });
    client.dispose();
  });
});

describe('The page', () => {
  const app = createGraphiQLRoutes();
  app.all('/graphql', (c) => c.text('the API'));
  const get = (accept: string, path = '/graphql') => app.request(path, { headers: { accept } });

  test('is for browsers that go there; everything else is for the API', async () => {
    const page = await get('text/html,application/xhtml+xml,*/*;q=0.8');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('vary')).toBe('Accept');
    for (const accept of [
      'application/json',
      'application/graphql-response+json',
      'text/event-stream',
      '*/*',
    ]) {
      expect(await (await get(accept)).text()).toBe('the API');
    }
    const posted = await app.request('/graphql', { method: 'POST', headers: { accept: 'text/html' } });
    expect(await posted.text()).toBe('the API');
  });

  test('runs nothing but its own files, and is shown in no frame', async () => {
    const policy = (await get('text/html')).headers.get('content-security-policy') ?? '';
    const directives = new Map(
      policy.split('; ').map((directive) => directive.split(/ (.*)/) as [string, string]),
    );
    expect(directives.get('default-src')).toBe("'none'");
    expect(directives.get('script-src')).toBe("'self'");
    expect(directives.get('connect-src')).toBe("'self'");
    expect(directives.get('frame-ancestors')).toBe("'none'");
    expect(directives.get('form-action')).toBe("'none'");
  });

  test('names only files that there are, on this server, which are kept for ever', async () => {
    const html = await (await get('text/html')).text();
    expect(html).not.toMatch(/https?:\/\/(?!lms\.example)/);
    const paths = [...html.matchAll(/(?:href|src)="(graphql\/[^"]+)"|:"(graphql\/[^"]+)"/g)].map(
      ([, asset, worker]) => `/${asset ?? worker}`,
    );
    expect(paths).toHaveLength(7);
    for (const path of paths) {
      const response = await get('*/*', path);
      expect([path, response.status, response.headers.get('cache-control')]).toEqual([
        path,
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
  });
});
