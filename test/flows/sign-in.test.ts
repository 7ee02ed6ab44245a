import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const EMAIL = 'head@school.example';
const PASSWORD = 'a walk in the rain';
const WHO =
  '{ viewer { role isPlatformAdmin user { email } sessions { id isCurrent } memberships { organizationName role } } }';

let database: TestDatabase;
let server: RunningServer;
let publicUrl: string;
let cookie: string;

beforeAll(async () => {
  database = await createTestDatabase();
  server = await startServer({
    DATABASE_URL: database.ownerUrl,
    BOOTSTRAP_ADMIN_EMAIL: EMAIL,
    BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
  });
  publicUrl = (await server.said(/Sign in +(\S+)\/login/))?.[1] ?? '';
  cookie = await signIn();
});
afterAll(async () => {
  await server.stop();
  await database.drop();
});

/** Signs in as a browser does, at the URL that the start printed; answers the session's cookie. */
async function signIn(): Promise<string> {
  const page = await fetch(`${server.url}/login`);
  const visit = page.headers.getSetCookie()[0]?.split(';', 1)[0] ?? '';
  const [, token = ''] = /name="form_token" value="([^"]+)"/.exec(await page.text()) ?? [];
  const answer = await fetch(`${server.url}/login`, {
    method: 'POST',
    redirect: 'manual',
    // No proxy is trusted: what a client says of its address counts for nothing.
    headers: { origin: publicUrl, cookie: visit, 'x-forwarded-for': '198.51.100.1' },
    body: new URLSearchParams({ form_token: token, email: EMAIL, password: PASSWORD }),
  });
  const session = answer.headers.getSetCookie().find((line) => line.startsWith('optio_session='));
  return session?.split(';', 1)[0] ?? '';
}

async function graphql(document: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { cookie, origin: publicUrl, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: document }),
  });
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, body: (isJson ? await response.json() : {}) as unknown };
}

/** Opens a WebSocket as a page of this origin does, and asks. */
function askByWebSocket(origin: string): Promise<unknown> {
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    retryAttempts: 0,
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers: { cookie, origin } });
      }
    },
  });
  return new Promise((resolve, reject) => {
    let result: unknown;
    client.subscribe(
      { query: WHO },
      {
        next: (value) => {
          result = value;
        },
        error: () => reject(new Error('refused')),
        complete: () => resolve(result),
      },
    );
  }).finally(() => void client.dispose());
}

describe('whoever signed in at the URL that the start printed', () => {
  it('is the viewer of GraphQL, with the sessions and organizations', async () => {
    const { status, body } = await graphql(WHO);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      data: {
        viewer: {
          role: 'ADMIN',
          isPlatformAdmin: true,
          user: { email: EMAIL },
          sessions: [{ isCurrent: true }],
          memberships: [{ organizationName: 'Optio Academy', role: 'ADMIN' }],
        },
      },
    });
  });

  it('is so over WebSocket and SSE, too', async () => {
    expect(await askByWebSocket(publicUrl)).toMatchObject({ data: { viewer: { user: { email: EMAIL } } } });
    const stream = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: {
        cookie,
        origin: publicUrl,
        'content-type': 'application/json',
        accept: 'text/event-stream',
      },
      body: JSON.stringify({ query: WHO }),
    });
    expect(await stream.text()).toContain(EMAIL);
  });

  it('is nobody where a page of another origin asks', async () => {
    const foreign = { origin: 'https://evil.example' };
    expect((await graphql(WHO, foreign)).status).toBe(403);
    await expect(askByWebSocket('https://evil.example')).rejects.toThrow('refused');
    const simple = { 'content-type': 'text/plain' };
    expect((await graphql(WHO, simple)).status).toBe(415);
    const get = await fetch(`${server.url}/graphql?query=${encodeURIComponent(WHO)}`, {
      headers: { cookie },
    });
    expect(get.status).toBe(403);
  });

  it('has no session at the REST door, which takes tokens alone', async () => {
    const response = await fetch(`${server.url}/api/webhooks/subscriptions`, { headers: { cookie } });
    expect(response.status).toBe(401);
  });

  it('ends another session, which is over at once', async () => {
    const other = await signIn();
    const { body } = await graphql('{ viewer { sessions { id isCurrent } } }');
    const { sessions } = (body as { data: { viewer: { sessions: { id: string; isCurrent: boolean }[] } } })
      .data.viewer;
    const ended = sessions.find(({ isCurrent }) => !isCurrent)?.id;
    const end = `mutation { endSession(input: { sessionId: "${ended}" }) { __typename } }`;
    expect((await graphql(end)).body).toMatchObject({
      data: { endSession: { __typename: 'EndSessionPayload' } },
    });
    expect((await graphql(WHO, { cookie: other })).status).toBe(401);
    expect((await graphql(end)).body).toMatchObject({
      data: { endSession: { __typename: 'NotFoundError' } },
    });
  });

  it('reads in the audit log of the organization that it was made, and of the own sign-in, with the address', async () => {
    const log = `{ organization { auditLog(last: 4) { nodes { action address actor { kind label } target { label } } } } }`;
    expect((await graphql(log)).body).toMatchObject({
      data: {
        organization: {
          auditLog: {
            nodes: [
              { action: 'session.started', address: '127.0.0.1', actor: { kind: 'USER', label: EMAIL } },
              { action: 'oauth_client.registered', address: null, actor: { kind: 'OPERATOR' } },
              { action: 'platform_admin.granted', target: { label: EMAIL } },
              { action: 'organization.created', target: { label: 'Optio Academy' } },
            ],
          },
        },
      },
    });
    expect((await graphql('{ platformAuditLog { nodes { action } } }')).body).toMatchObject({
      data: { platformAuditLog: { nodes: expect.arrayContaining([{ action: 'platform_admin.granted' }]) } },
    });
  });

  it('is no admin any more from the request on that follows the change of role', async () => {
    const list = '{ organization { members { nodes { role } } } }';
    expect((await graphql(list)).body).toMatchObject({
      data: { organization: { members: { nodes: [{}] } } },
    });
    await query(database.ownerUrl, `UPDATE memberships SET role = 'STUDENT'`);
    expect((await graphql(list)).body).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    await query(database.ownerUrl, `UPDATE memberships SET role = 'ADMIN'`);
  });

  it('leaves no password and no token in what the server prints', () => {
    expect(server.output()).not.toContain(PASSWORD);
    expect(server.output()).not.toContain(cookie.split('=')[1]);
  });
});
