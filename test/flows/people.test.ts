/** Being invited and forgetting a password, through the server as operators run it and a real mail server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { type Environment, type RunningServer, runServer, startServer } from '../support/server.ts';

const HEAD = 'head@school.example';
const PASSWORD = 'a walk in the rain';
const CHOSEN = 'seventeen quiet herons';
const INVITE = `mutation ($input: InviteMemberInput!) {
  inviteMember(input: $input) { __typename ... on Error { message } }
}`;

let database: TestDatabase;
let mails: MailServer;

beforeAll(async () => {
  database = await createTestDatabase();
  mails = await startMailServer({ login: { user: 'optio', password: 'smtp-p4ssword' } });
});
afterAll(async () => {
  await mails.close();
  await database.drop();
});

const smtp = (): Environment => ({
  SMTP_URL: `smtp://optio:smtp-p4ssword@127.0.0.1:${mails.port}?tls=off`,
  MAIL_FROM: 'Optio Connect <no-reply@school.example>',
});

function start(environment: Environment): Promise<RunningServer> {
  return startServer({
    DATABASE_URL: database.ownerUrl,
    BOOTSTRAP_ADMIN_EMAIL: HEAD,
    BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    ...environment,
  });
}

/** There the log is for programs. */
async function startInProduction(): Promise<RunningServer> {
  const server = runServer({
    NODE_ENV: 'production',
    PUBLIC_URL: 'http://localhost:4000',
    MASTER_KEY: Buffer.alloc(32, 'optio flow key').toString('base64'),
    REQUIRE_SECOND_FACTOR: '0',
    PORT: '0',
    DATABASE_URL: database.ownerUrl,
  });
  const port = (await server.said(/"port":(\d+)/))?.[1];
  if (port === undefined) throw new Error(`The server ended before it was ready:\n${server.output()}`);
  return { ...server, url: `http://127.0.0.1:${port}`, stop: () => server.kill('SIGTERM') };
}

/** Sends the form of a page as a browser without scripts does. */
async function submit(
  server: RunningServer,
  page: string,
  fields: Readonly<Record<string, string>>,
): Promise<Response> {
  const { origin } = new URL(await publicUrlOf(server));
  const shown = await fetch(`${server.url}${page}`);
  const cookie = shown.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
  const hidden = (await shown.text()).matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  const values = Object.fromEntries([...hidden].map(([, name = '', value = '']) => [name, value]));
  return fetch(`${server.url}${page.split('?', 1)[0]}`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin, cookie },
    body: new URLSearchParams({ ...values, ...fields }),
  });
}

async function publicUrlOf(server: RunningServer): Promise<string> {
  return (await server.said(/Sign in +(\S+)\/login/))?.[1] ?? '';
}

/** The cookie of a new session; undefined when email and password do not fit. */
async function signIn(server: RunningServer, email: string, password: string): Promise<string | undefined> {
  const answer = await submit(server, '/login', { email, password });
  const cookie = answer.headers.getSetCookie().find((line) => line.startsWith('optio_session='));
  return cookie?.split(';', 1)[0];
}

async function invite(server: RunningServer, email: string): Promise<unknown> {
  const cookie = (await signIn(server, HEAD, PASSWORD)) ?? '';
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { cookie, origin: await publicUrlOf(server), 'content-type': 'application/json' },
    body: JSON.stringify({ query: INVITE, variables: { input: { email, name: 'Ada', role: 'EDUCATOR' } } }),
  });
  return (await response.json()) as unknown;
}

const INVITED = { data: { inviteMember: { __typename: 'InviteMemberPayload' } } };

/** The path of the link in the newest mail to an address. */
function pathIn(email: string): string {
  const { pathname, search } = new URL(mails.linkTo(email));
  return `${pathname}${search}`;
}

describe('a server with a mail server', () => {
  it('takes in whom it invites, lets them sign in, emits it, and helps to a new password', async () => {
    const server = await start(smtp());
    const email = 'ada@school.example';
    expect(await invite(server, email)).toMatchObject(INVITED);
    await mails.received(1);
    expect(mails.linkTo(email).startsWith(`${await publicUrlOf(server)}/invitation?token=`)).toBe(true);
    const joined = await submit(server, pathIn(email), { name: 'Ada Lovelace', password: CHOSEN });
    expect([joined.status, joined.headers.get('location')]).toEqual([303, '/login?note=joined']);
    expect(await signIn(server, email, CHOSEN)).toBeDefined();
    expect(await query(database.ownerUrl, 'SELECT type FROM events')).toEqual([{ type: 'user.registered' }]);

    const asked = await submit(server, '/forgot', { email });
    expect(asked.headers.get('location')).toBe('/forgot?note=sent');
    await mails.received(2);
    const reset = await submit(server, pathIn(email), { password: 'eighteen quiet herons' });
    expect(reset.headers.get('location')).toBe('/login?note=password-reset');
    expect(await signIn(server, email, CHOSEN)).toBeUndefined();
    expect(await signIn(server, email, 'eighteen quiet herons')).toBeDefined();

    await server.stop();
    const tokens = mails.mails.map(({ text }) => /token=(\w+)/.exec(text)?.[1] ?? 'none');
    expect(new Set(tokens).size).toBe(2);
    for (const secret of [...tokens, CHOSEN, PASSWORD, 'smtp-p4ssword']) {
      expect(server.output()).not.toContain(secret);
    }
  });

  it('loses no mail when it dies between the commit and the sending', async () => {
    // The one that asks does not send, and the one that sends is not there yet.
    const api = await start({ ...smtp(), ROLE: 'api' });
    expect(await invite(api, 'bob@school.example')).toMatchObject(INVITED);
    await api.kill('SIGKILL');
    const before = mails.mails.length;
    expect(await query(database.ownerUrl, 'SELECT template FROM outgoing_mails')).toEqual([
      { template: 'invitation' },
    ]);
    const worker = await start({ ...smtp(), ROLE: 'worker' });
    await mails.received(before + 1);
    expect(mails.mails.at(-1)?.to).toEqual(['bob@school.example']);
    await worker.stop();
  });
});

describe('a server without a mail server', () => {
  it('prints the link on the terminal in development', async () => {
    const server = await start({});
    expect(await invite(server, 'eve@school.example')).toMatchObject(INVITED);
    const [, link = ''] =
      (await server.said(/Mail for eve@school\.example[\s\S]*?(http\S+token=\w{43})/)) ?? [];
    const { pathname, search } = new URL(link);
    const joined = await submit(server, `${pathname}${search}`, { name: 'Eve', password: CHOSEN });
    expect(joined.headers.get('location')).toBe('/login?note=joined');
    await server.stop();
  });

  it('says so in production: at the start, to who invites, and to who forgot the password', async () => {
    const server = await startInProduction();
    expect(server.output()).toContain('SMTP_URL and MAIL_FROM are not set');
    expect(await invite(server, 'joe@school.example')).toMatchObject({
      data: { inviteMember: { __typename: 'ConflictError', message: expect.stringContaining('SMTP_URL') } },
    });
    const page = await fetch(`${server.url}/forgot`);
    expect(page.status).toBe(503);
    expect(await page.text()).toContain('This server cannot send mail');
    await server.stop();
  });

  it('does not start with half of the settings, or with a mail server that is none', async () => {
    const server = runServer({ SMTP_URL: 'https://optio:smtp-p4ssword@mail.example' });
    expect(await server.exited).toMatchObject({ code: 1 });
    expect(server.output()).toMatch(/SMTP_URL: expected a URL like smtps:/);
    expect(server.output()).toContain('MAIL_FROM: required with SMTP_URL');
    expect(server.output()).not.toContain('smtp-p4ssword');
  });
});
