import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage, type WatchedPage } from '../support/browser.ts';
import { connectClient, emitBadges } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const PASSWORD = 'seven otters sail past Tromso';

let database: TestDatabase;
let server: RunningServer;
let browser: Browser;

beforeAll(async () => {
  database = await createTestDatabase();
  [server, browser] = await Promise.all([
    startServer({ DATABASE_URL: database.ownerUrl, BOOTSTRAP_ADMIN_PASSWORD: PASSWORD }),
    launchBrowser(),
  ]);
});

afterAll(async () => {
  await browser.close();
  await server.stop();
  await database.drop();
});

async function openGraphiQL(): Promise<WatchedPage> {
  const opened = await openPage(browser, { viewport: { width: 1280, height: 900 } });
  await opened.page.goto(`${server.url}/graphql`);
  await headersEditor(opened.page).waitFor();
  return opened;
}

const headersEditor = (page: Page) => page.locator('.monaco-editor[data-uri*="request-headers"]');
const answer = (page: Page) => page.locator('section.result-window');

/** A tab that is clicked while the editors are still being made does not open: it is clicked again. */
async function openTab(page: Page, name: string): Promise<void> {
  const opened = page.getByRole('tab', { name, selected: true });
  await expect
    .poll(async () => {
      await page.getByRole('tab', { name }).click();
      return opened.count();
    })
    .toBe(1);
}

/** Runs what the open tab holds, and waits for the text in its answer. */
async function run(page: Page, expected: RegExp): Promise<void> {
  await page.locator('button.graphiql-execute-button').click();
  await answer(page).getByText(expected).first().waitFor();
}

/** Writes into the editor of headers, as somebody who pastes a token would. */
async function giveToken(page: Page, token: string): Promise<void> {
  await headersEditor(page).click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(`{ "Authorization": "Bearer ${token}" }`);
}

describe('GraphiQL', () => {
  it('opens under its policy, with nothing from elsewhere, and answers the first tab as it stands', async () => {
    const { page, faults } = await openGraphiQL();
    await run(page, /viewer/);
    expect(await answer(page).textContent()).toMatch(/"viewer":\s*null/);
    await page.getByText('Not signed in').first().waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('has a tab for each example, which all work with a token', async () => {
    const client = await connectClient(server);
    const { page, faults } = await openGraphiQL();
    const expected = {
      CreateWebhookSubscription: /whsec_/,
      WebhookSubscriptions: /totalCount/,
      EmitEvent: /EmitEventPayload/,
      Deliveries: /attemptCount/,
      LiveUpdates: /StreamReady/,
    };
    for (const [name, text] of Object.entries(expected)) {
      await openTab(page, name);
      await giveToken(page, client.token);
      await run(page, text);
    }
    // The last one is still open: what happens now appears by itself.
    await emitBadges(client, 1);
    await answer(page).getByText('DeliveryUpdated').first().waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('acts for who is signed in, with nothing to paste', async () => {
    const { page, faults } = await openPage(browser, { viewport: { width: 1280, height: 900 } });
    // By the name that the server calls itself by, which the form of sign-in insists on.
    const publicUrl = server.url.replace('127.0.0.1', 'localhost');
    await page.goto(`${publicUrl}/login`);
    await page.getByLabel('Email address').fill('admin@optio.example');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(/account/);
    await page.goto(`${publicUrl}/graphql`);
    await page.getByText('query Viewer').waitFor();
    await run(page, /ADMIN/);
    expect(await page.getByText('Not signed in').count()).toBe(0);
    expect(faults.filter((fault) => !fault.startsWith(publicUrl))).toEqual([]);
    await page.context().close();
  });

  it('keeps no token in the browser', async () => {
    const { page } = await openGraphiQL();
    await giveToken(page, 'hunter2');
    await run(page, /not valid|UNAUTHENTICATED/);
    const read = () =>
      page.evaluate(() => JSON.stringify([localStorage, sessionStorage].map(Object.entries)));
    // It stores the tabs a moment later.
    await expect.poll(read).toContain('query Viewer');
    expect(await read()).not.toContain('hunter2');
    await page.context().close();
  });
});
