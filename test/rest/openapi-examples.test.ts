import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Client, connectClient } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { CLIENT, type RunningServer, startServer } from '../support/server.ts';
import { signIn } from '../support/sign-in.ts';

const Operation = z.object({
  operationId: z.string(),
  security: z.array(z.record(z.string(), z.unknown())).optional(),
  requestBody: z
    .object({
      content: z.record(
        z.string(),
        z.object({ examples: z.record(z.string(), z.object({ value: z.unknown() })) }),
      ),
    })
    .optional(),
  responses: z.record(z.string(), z.object({ content: z.record(z.string(), z.unknown()).optional() })),
});
const Document = z.object({
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
  'x-example-ids': z.object({
    subscription: z.string(),
    delivery: z.string(),
    replay: z.string(),
    client: z.string(),
  }),
});
type Document = z.infer<typeof Document>;

/** Of what a user allowed once, which no example can hold; tests of the grants themselves show that they work. */
const OF_A_USER = ['authorize', 'requestToken with a code', 'requestToken with a refresh token'];

const ADMIN = { email: 'head@school.example', password: 'a walk in the rain' };

let database: TestDatabase;
let server: RunningServer;
let client: Client;
let document: Document;
/** Of the first admin, who has signed in. */
let cookie: string;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startServer({
    DATABASE_URL: database.ownerUrl,
    BOOTSTRAP_ADMIN_EMAIL: ADMIN.email,
    BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
  });
  const publicUrl = (await server.said(/Sign in +(\S+)\/login/))?.[1] ?? '';
  cookie = await signIn(server, { ...ADMIN, publicUrl });
  client = await connectClient(server);
  document = Document.parse((await client.get('/api/openapi.json')).body);
});

afterAll(async () => {
  await server.stop();
  await database.drop();
});

type Request = {
  readonly method: string;
  readonly path: string;
  /** Of the body. */
  readonly type: string;
  readonly body: unknown;
  /** Whether a person has to have signed in. */
  readonly needsSession: boolean;
};

/** Every operation with each of its examples, or once without a body; what deletes comes last. */
function allRequests() {
  return Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => {
        const bodies = Object.entries(operation.requestBody?.content ?? {}).flatMap(([type, { examples }]) =>
          Object.entries(examples).map(([name, { value }]) => ({ name, type, body: value })),
        );
        const none: (typeof bodies)[number][] = [{ name: '', type: 'none', body: undefined }];
        return (bodies.length > 0 ? bodies : none).map((body) => ({
          ...body,
          method,
          path,
          operation,
          needsSession: operation.security?.some((one) => 'session' in one) === true,
        }));
      }),
    )
    .toSorted((a, b) => Number(a.method === 'delete') - Number(b.method === 'delete'));
}

type Answer = { readonly status: string; readonly body: unknown };

async function send({ method, path, type, body, needsSession }: Request): Promise<Answer> {
  const isForm = type === 'application/x-www-form-urlencoded';
  const basic = Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64');
  const payload = isForm ? String(new URLSearchParams(body as Record<string, string>)) : JSON.stringify(body); // As the form's examples are.
  const response = await fetch(server.url + path, {
    method: method.toUpperCase(),
    headers: {
      ...(needsSession
        ? { cookie, 'x-requested-with': 'test' }
        : { authorization: isForm ? `Basic ${basic}` : `Bearer ${client.token}` }),
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: payload }),
  });
  const text = await response.text();
  const isPage = response.headers.get('content-type')?.startsWith('text/html') === true;
  return { status: String(response.status), body: text === '' || isPage ? undefined : JSON.parse(text) };
}

/** The ids of examples stand for what is there. */
async function makeStandIns(): Promise<(text: string) => string> {
  const created = await client.post('/api/webhooks/subscriptions', {
    target_url: 'https://lms.example/hooks/optio',
    event_type: '*',
  });
  const { id } = z.object({ id: z.string() }).parse(created.body);
  const sent = await client.post('/api/webhooks/test', { subscription_id: id });
  const { delivery_id } = z.object({ delivery_id: z.string() }).parse(sent.body);
  const started = await client.post('/api/webhooks/replays', { statuses: ['failed'] });
  const replayId = z.object({ id: z.string() }).parse(started.body).id;
  const registered = await send({
    method: 'post',
    path: '/api/oauth/clients',
    type: 'application/json',
    body: { name: 'Example', redirect_uris: ['https://lms.example/cb'] },
    needsSession: true,
  });
  const { id: client_id } = z.object({ id: z.string() }).parse(registered.body);
  const ids = document['x-example-ids'];
  return (text) =>
    text
      .replaceAll(ids.subscription, id)
      .replaceAll(ids.delivery, delivery_id)
      .replaceAll(ids.replay, replayId)
      .replaceAll(ids.client, client_id);
}

/** The schema of an answer, with what it refers to beside it. */
function schemaOf(content: unknown): z.ZodType {
  const { schema } = z.object({ schema: z.record(z.string(), z.unknown()) }).parse(content);
  const all = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return z.fromJSONSchema(JSON.parse(all.replaceAll('#/components/schemas/', '#/$defs/')));
}

/** Undefined for a status that is documented, with an answer that is what its schema says. */
function findFault({ responses }: z.infer<typeof Operation>, { status, body }: Answer): string | undefined {
  const response = responses[status];
  if (response === undefined) return `answered ${status} ${JSON.stringify(body)}`;
  const content = response.content?.['application/json'] ?? response.content?.['application/problem+json'];
  if (content === undefined) return body === undefined ? undefined : 'answered a body that is not documented';
  const { error } = schemaOf(content).safeParse(body);
  return error === undefined ? undefined : `answered what does not fit: ${z.prettifyError(error)}`;
}

describe('every example of the OpenAPI document', () => {
  it('works as it stands: it gets the status that is documented, and an answer that fits its schema', async () => {
    const standIn = await makeStandIns();
    const ids = document['x-example-ids'];
    const requests = allRequests();
    expect(requests.length).toBeGreaterThan(20);
    const faults: string[] = [];
    for (const { operation, name, ...request } of requests) {
      const [, , , kind = ''] = request.path.split('/');
      const id =
        { deliveries: ids.delivery, replays: ids.replay, clients: ids.client }[kind] ?? ids.subscription;
      const path = standIn(request.path.replace('{id}', id));
      const body: unknown =
        request.body === undefined ? undefined : JSON.parse(standIn(JSON.stringify(request.body)));
      const what = `${operation.operationId} ${name}`.trim();
      const answer = await send({ ...request, path, body });
      const fault = findFault(operation, answer);
      if (fault !== undefined) faults.push(`${what}: ${fault}`);
      if (answer.status.startsWith('2') === OF_A_USER.includes(what)) {
        faults.push(`${what}: answered ${answer.status} ${JSON.stringify(answer.body)}`);
      }
    }
    expect(faults).toEqual([]);
  });
});
