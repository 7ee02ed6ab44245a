import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage, type WatchedPage } from '../support/browser.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { CLIENT, type RunningServer, startServer } from '../support/server.ts';

let database: TestDatabase;
let server: RunningServer;
let browser: Browser;
/** As the pages name themselves: their forms may be sent to that origin alone. */
let origin: string;

const ADMIN = { email: 'head@school.example', password: 'a walk in the rain' };

beforeAll(async () => {
  database = await createTestDatabase();
  [server, browser] = await Promise.all([
    startServer({
      DATABASE_URL: database.ownerUrl,
      BOOTSTRAP_ADMIN_EMAIL: ADMIN.email,
      BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
    }),
    launchBrowser(),
  ]);
  origin = (await server.said(/Sign in +(\S+)\/login/))?.[1] ?? '';
});

afterAll(async () => {
  await browser.close();
  await server.stop();
  await database.drop();
});

async function openDocs(colorScheme: 'light' | 'dark' = 'light'): Promise<WatchedPage> {
  const opened = await openPage(browser, { colorScheme });
  await opened.page.goto(`${server.url}/docs`);
  await opened.page.locator('.opblock').first().waitFor();
  return opened;
}

/** Gets a token by client_credentials, in the page's own dialogue. */
async function authorize(page: Page): Promise<void> {
  await page.locator('.btn.authorize').click();
  const dialogue = page.locator('.auth-container').filter({ hasText: 'clientCredentials' });
  await dialogue.locator('input[data-name="clientId"]').fill(CLIENT.id);
  await dialogue.locator('input[data-name="clientSecret"]').fill(CLIENT.secret);
  await dialogue.locator('button.authorize').click();
  await dialogue.getByText('Authorized').waitFor();
  const basic = page.locator('.auth-container').filter({ hasText: 'client_secret_basic' });
  await basic.locator('input[type="text"]').fill(CLIENT.id);
  await basic.locator('input[type="password"]').fill(CLIENT.secret);
  await basic.locator('button.authorize').click();
  await page.locator('.btn-done').first().click();
}

/** In the browser of the page, which then has a session. */
async function signIn(page: Page): Promise<void> {
  await page.goto(`${origin}/login`);
  await page.getByLabel('Email address').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${origin}/account`);
}

/** Without bringing it into view first, which takes a page of this length longer than all the rest. */
const press = (button: Locator) => button.dispatchEvent('click');

/**
 * Executes an operation as the page shows it, nothing filled in; answers its line in words and the status. Undefined for
 * one that a browser has to be sent to.
 */
async function execute(block: Locator): Promise<string | undefined> {
  const path = await block.locator('.opblock-summary-path').first().textContent();
  const method = await block.locator('.opblock-summary-method').first().textContent();
  await press(block.locator('.opblock-summary-control'));
  await shown(block);
  if ((await block.getByText('Open this in a browser').count()) > 0) return undefined;
  await press(block.locator('button.execute'));
  const status = block.locator('.live-responses-table .response-col_status').nth(1);
  const answer = /\d+/.exec((await status.textContent()) ?? '')?.[0];
  await press(block.locator('.opblock-summary-control'));
  return `${method} ${path?.replaceAll('\u200b', '')} ${answer}`;
}

/**
 * The button is there before the operation has been read out of the document, and would send it without what is filled
 * in: its answers are listed once it has, and its body is there once it is not empty.
 */
async function shown(block: Locator): Promise<void> {
  await block.locator('tr.response').first().waitFor();
  for (const body of await block.locator('textarea.body-param__text').all())
    await expect.poll(() => body.inputValue()).not.toBe('');
}

describe('/docs', () => {
  it.each([
    ['light', 'rgb(255, 255, 255)'],
    ['dark', 'rgb(28, 32, 34)'],
  ] as const)('opens under its policy, %s, with nothing from elsewhere', async (scheme, background) => {
    const { page, faults } = await openDocs(scheme);
    expect(await page.locator('.opblock').count()).toBeGreaterThan(15);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(background);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('says where the document is to who has no JavaScript', async () => {
    const { page } = await openPage(browser, { javaScriptEnabled: false });
    await page.goto(`${server.url}/docs`);
    await page.getByRole('link', { name: 'OpenAPI 3.1' }).click();
    expect(page.url()).toBe(`${server.url}/api/openapi.json`);
    await page.context().close();
  });

  it('tries everything out with a token that it got itself and the session of an admin, each example as it stands', async () => {
    const { page, faults } = await openPage(browser);
    await signIn(page);
    await page.goto(`${origin}/docs`);
    await authorize(page);
    const blocks = await page.locator('.opblock').all();
    const isDelete = await Promise.all(
      blocks.map((block) => block.evaluate((one) => one.matches('.opblock-delete'))),
    );
    const answers: (string | undefined)[] = [];
    for (const block of blocks.filter((_, index) => isDelete[index] !== true))
      answers.push(await execute(block));
    for (const block of blocks.filter((_, index) => isDelete[index] === true))
      answers.push(await execute(block));
    expect(answers).toHaveLength(blocks.length);
    expect(answers.filter((line) => line === undefined)).toHaveLength(1);
    expect(answers.filter((line) => line !== undefined && !/ 20[0-9]$/.test(line))).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  }, 300_000);
});
