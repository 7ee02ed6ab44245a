import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, openPage } from '../support/browser.ts';
import { createEmptyDatabase, type TestDatabase } from '../support/database.ts';
import { type RunningServer, startServer } from '../support/server.ts';

let database: Omit<TestDatabase, 'urls'>;
let server: RunningServer;
let url: string;
let browser: Browser;
beforeAll(async () => {
  database = await createEmptyDatabase();
  [server, browser] = await Promise.all([
    startServer({ DATABASE_URL: database.ownerUrl, DEMO: '1' }),
    launchBrowser(),
  ]);
  url = `http://localhost:${new URL(server.url).port}`;
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  await database.drop();
});

/** What axe finds, and whether anything sticks out to the right, in both themes, wide and narrow. */
async function findFaults(page: Page): Promise<readonly string[]> {
  const faults: string[] = [];
  const axe = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] });
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1_280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      const { violations } = await axe.analyze();
      faults.push(...violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`));
      if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth))
        faults.push(`too wide at ${width}`);
    }
  }
  return faults;
}

describe('The demo in a browser', () => {
  it('has its accounts on the sign-in page, one click away', async () => {
    const { page, faults } = await openPage(browser);
    await page.goto(`${url}/login`);
    expect(await page.getByRole('button', { name: /^Sign in as/ }).allTextContents()).toEqual([
      'Sign in as Maya',
      'Sign in as Daniel',
      'Sign in as Ada',
    ]);
    expect(await findFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Sign in as Maya' }).click();
    await page.getByRole('heading', { level: 1, name: 'Maya Okafor' }).waitFor();
    await page.getByText('Riverside School').first().waitFor();
    expect(faults.filter((fault) => !fault.startsWith(url))).toEqual([]); // Its own requests are no faults.
    await page.context().close();
  });

  it('shows what came to its receiver', async () => {
    await fetch(`${server.url}/demo/receiver/ok`, { method: 'POST', body: '{}' });
    const { page } = await openPage(browser);
    await page.goto(`${url}/demo/receiver`);
    await page.getByRole('heading', { level: 1, name: 'Demo receiver' }).waitFor();
    await page.getByText('answered 401').first().waitFor();
    expect(await findFaults(page)).toEqual([]);
    await page.context().close();
  });
});
