/** The way of an authorization through a real browser: the person's pages, the client's callback, the API, the end. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomAlphanumeric, sha256 } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { insertClient, insertClientSecret, type NewClient } from '../../src/oauth/statements.ts';
import { newPkce } from '../oauth/people.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { ANSWER_STATUS, findFaults } from '../support/browser-faults.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const EMAIL = 'head@school.example';
const PASSWORD = 'a walk in the rain';
const PKCE = newPkce();

let database: TestDatabase;
let server: RunningServer;
let url: string;
let app: Server;
let callback: string;
let browser: Browser;

beforeAll(async () => {
  database = await createTestDatabase();
  [server, browser, app] = await Promise.all([
    startServer({
      DATABASE_URL: database.ownerUrl,
      BOOTSTRAP_ADMIN_EMAIL: EMAIL,
      BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    }),
    launchBrowser(),
    listen(),
  ]);
  url = `http://localhost:${new URL(server.url).port}`;
  callback = `http://127.0.0.1:${(app.address() as AddressInfo).port}/callback`; // It listens on a port.
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  app.closeAllConnections();
  await new Promise((resolve) => app.close(resolve));
  await database.drop();
});

/** The app that asks: a page at another origin. */
async function listen(): Promise<Server> {
  const made = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><html lang="en"><title>The app</title><h1>Back at the app</h1></html>');
  });
  await new Promise<void>((resolve) => {
    made.listen(0, '127.0.0.1', resolve);
  });
  return made;
}

type App = { readonly clientId: string; readonly secret: string };

async function addApp(changes: Partial<NewClient> = {}): Promise<App> {
  const [organization] = await query(database.ownerUrl, 'SELECT id FROM organizations');
  const organizationId = String(organization?.['id']);
  const client: NewClient = {
    organizationId,
    id: newId(),
    clientId: randomAlphanumeric(20),
    name: 'Canvas of Northfield',
    type: 'CONFIDENTIAL',
    status: 'APPROVED',
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['read', 'write:grades'],
    redirectUris: [callback],
    requiresPkce: true,
    ...changes,
  };
  const secret = randomAlphanumeric(43);
  const row = {
    organizationId: client.organizationId,
    id: newId(),
    clientRef: client.id,
    hash: sha256(secret),
  };
  for (const { text, values } of [insertClient(client, new Date()), insertClientSecret(row, new Date())]) {
    await query(database.ownerUrl, text, values ?? []);
  }
  return { clientId: client.clientId, secret };
}

function requestUrl({ clientId }: App, redirectUri = callback): string {
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'read:users read:grades write:grades',
    state: 'what the app remembers',
    code_challenge: PKCE.challenge,
    code_challenge_method: 'S256',
  });
  return `${url}/api/oauth/authorize?${parameters}`;
}

async function signIn(page: Page): Promise<void> {
  await page.getByLabel('Email address').fill(EMAIL);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** What the app is told, once the browser is back at it. */
async function answerOf(page: Page): Promise<Readonly<Record<string, string>>> {
  await page.getByRole('heading', { name: 'Back at the app' }).waitFor();
  expect(page.url().startsWith(`${callback}?`)).toBe(true);
  return Object.fromEntries(new URL(page.url()).searchParams);
}

async function requestToken(form: Readonly<Record<string, string>>, { clientId, secret }: App) {
  const body = new URLSearchParams({ ...form, client_id: clientId, client_secret: secret });
  const response = await fetch(`${server.url}/api/oauth/token`, { method: 'POST', body });
  return (await response.json()) as Record<string, string>; // As RFC 6749 5 has it, but for expires_in.
}

/** Asks the API who the token stands for. */
async function askApi(token: string | undefined) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: '{ viewer { user { email } scopes } }' }),
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

/** From the app's link to the end of what it got. */
async function journey(page: Page, look: (heading: string) => Promise<void>): Promise<void> {
  const canvas = await addApp();
  await page.goto(requestUrl(canvas));
  await look('Sign in');
  await signIn(page);
  await look('Canvas of Northfield asks for access');
  await page.getByRole('button', { name: 'Allow' }).click();
  const { code = '', ...answer } = await answerOf(page);
  expect(answer).toEqual({ state: 'what the app remembers', iss: url });

  const exchange = { grant_type: 'authorization_code', code, redirect_uri: callback };
  const tokens = await requestToken({ ...exchange, code_verifier: PKCE.verifier }, canvas);
  expect(await askApi(tokens['access_token'])).toMatchObject({
    status: 200,
    body: {
      data: { viewer: { user: { email: EMAIL }, scopes: ['read:grades', 'read:users', 'write:grades'] } },
    },
  });

  await page.goto(`${url}/account`);
  await page.getByRole('link', { name: 'Look at them' }).click();
  await look('Connected apps');
  await page.getByRole('button', { name: 'Disconnect Canvas of Northfield' }).click();
  await page.getByText('The app is disconnected.').waitFor();
  await look('Connected apps');

  expect(await askApi(tokens['access_token'])).toMatchObject({
    status: 401,
    body: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
  });
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens['refresh_token'] ?? '' };
  expect(await requestToken(refresh, canvas)).toMatchObject({ error: 'invalid_grant' });
}

/** Its own requests, and the status of a page, are no faults. */
function ofOthers(faults: readonly string[]): readonly string[] {
  return faults.filter((fault) => !fault.startsWith(url) && !ANSWER_STATUS.test(fault));
}

describe('an authorization in a browser', () => {
  it('goes from the app through sign-in and consent to the API, and ends in connected apps, in every look', async () => {
    const { page, faults } = await openPage(browser);
    const found: string[] = [];
    await journey(page, async (heading) => {
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      found.push(...(await findFaults(page)));
    });
    expect(found).toEqual([]);
    expect(ofOthers(faults)).toEqual([]);
    await page.context().close();
  });

  it('goes the same way without JavaScript (rule 18)', async () => {
    const { page, faults } = await openPage(browser, { javaScriptEnabled: false });
    await journey(page, (heading) => page.getByRole('heading', { level: 1, name: heading }).waitFor());
    expect(ofOthers(faults)).toEqual([]);
    await page.context().close();
  });

  it('is denied by keyboard, and shows the same weight on both buttons (rules 20, 22)', async () => {
    const { page } = await openPage(browser);
    await page.goto(requestUrl(await addApp()));
    await signIn(page);
    const button = (name: string) => page.getByRole('button', { name });
    const lookOf = (name: string) =>
      button(name).evaluate((element) => {
        const { color, backgroundColor, borderColor, fontWeight } = getComputedStyle(element);
        const { width, height } = element.getBoundingClientRect();
        return [color, backgroundColor, borderColor, fontWeight, Math.round(width), Math.round(height)];
      });
    expect(await lookOf('Deny')).toEqual(await lookOf('Allow'));
    await button('Deny').focus();
    await page.keyboard.press('Enter');
    expect(await answerOf(page)).toMatchObject({ error: 'access_denied', iss: url });
    await page.context().close();
  });

  it('would end at the browser without the app’s origin in the policy of forms (rule 18)', async () => {
    const { page, faults } = await openPage(browser);
    await page.goto(`${url}/login`);
    await signIn(page);
    await page.route('**/api/oauth/authorize?*', async (route) => {
      const response = await route.fetch({ maxRedirects: 0 });
      const policy = response.headers()['content-security-policy'] ?? '';
      const headers = {
        ...response.headers(),
        'content-security-policy': policy.replace(/(form-action 'self')[^;]*/, '$1'),
      };
      await (route.request().method() === 'GET' ? route.fulfill({ response, headers }) : route.continue());
    });
    await page.goto(requestUrl(await addApp()));
    await page.getByRole('button', { name: 'Allow' }).click();
    await expect.poll(() => faults.join()).toContain('form-action');
    expect(page.url().startsWith(url)).toBe(true);
    await page.context().close();
  });

  it.each([
    [
      'with a redirect URI that is not registered',
      {},
      'https://evil.example/cb',
      'This link leads to the wrong place',
    ],
    ['of a client that waits', { status: 'PENDING' as const }, undefined, 'This app is waiting for approval'],
    ['of a client that is suspended', { status: 'SUSPENDED' as const }, undefined, 'This app is suspended'],
  ])('%s ends on a page that says why (rules 2, 16)', async (_, changes, redirectUri, heading) => {
    const { page, faults } = await openPage(browser);
    await page.goto(requestUrl(await addApp(changes), redirectUri));
    await page.getByRole('heading', { level: 1, name: heading }).waitFor();
    expect(await findFaults(page)).toEqual([]);
    expect(ofOthers(faults)).toEqual([]);
    await page.context().close();
  });

  it('of a client of another school says so', async () => {
    const { page } = await openPage(browser);
    const id = newId();
    await query(
      database.ownerUrl,
      `INSERT INTO organizations (id, slug, name) VALUES ($1, 'south', 'Southgate')`,
      [id],
    );
    await page.goto(requestUrl(await addApp({ organizationId: id })));
    await signIn(page);
    await page.getByRole('heading', { level: 1, name: 'This app is for others' }).waitFor();
    expect(await findFaults(page)).toEqual([]);
    await page.getByRole('link', { name: 'Back to the app' }).click();
    expect(await answerOf(page)).toMatchObject({ error: 'access_denied' });
    await page.context().close();
  });
});
