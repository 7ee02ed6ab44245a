import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { User } from '../../src/accounts/statements.ts';
import { totpCode } from '../../src/lib/crypto.ts';
import { decodeBase32 } from '../accounts/authenticator.ts';
import { PASSWORD } from '../accounts/people.ts';
import { openSite, type Site } from '../accounts/site.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { ANSWER_STATUS, findFaults } from '../support/browser-faults.ts';

let site: Site;
let browser: Browser;
let ada: User;

beforeAll(async () => {
  [site, browser] = await Promise.all([openSite(), launchBrowser()]);
  ada = await site.addUser({ email: 'ada@school.example' });
  await site.join(ada, await site.addOrganization('Northfield School'));
  await site.join(ada, await site.addOrganization('Southgate Academy'), 'EDUCATOR');
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

async function signIn(page: Page, password = PASSWORD): Promise<void> {
  await page.goto(`${site.url}/login`);
  await page.getByLabel('Email address').fill(ada.email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function readSecret(page: Page): Promise<Buffer> {
  const key = await page.locator('code').first().textContent();
  return decodeBase32(key ?? '');
}

const codeOf = (secret: Buffer) => totpCode(secret, Math.floor(site.clock.now().getTime() / 30_000));

describe('the pages of sign-in and account', () => {
  it('are there for everybody: in light and dark, wide and narrow, by keyboard and screen reader', async () => {
    const { page, faults } = await openPage(browser);
    const found: string[] = [];
    const check = async (heading: string): Promise<void> => {
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      found.push(...(await findFaults(page)));
    };

    await signIn(page, 'a wrong password');
    await page.getByRole('alert').getByText('do not fit together').waitFor();
    await check('Sign in');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await check('Ada Lovelace');

    await page.getByRole('link', { name: 'Change password' }).click();
    await page.getByLabel('Present password').fill('a wrong password');
    await page.getByLabel('New password').fill('another walk in the rain');
    await page.keyboard.press('Enter');
    await page.getByText('not your present password').waitFor();
    expect(await page.getByLabel('Present password').getAttribute('aria-invalid')).toBe('true');
    await check('Change password');
    await page.getByRole('link', { name: 'Back to your account' }).click();

    await page.getByRole('link', { name: 'Set up' }).click();
    await check('Set up a second factor');
    const secret = await readSecret(page);
    await page.getByLabel('Code that the app shows').fill(await codeOf(secret));
    await page.getByLabel('Your password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Turn on' }).click();
    await check('Keep these recovery codes');
    await page.getByRole('link', { name: 'I have kept them' }).click();
    await page.getByRole('link', { name: 'Manage' }).click();
    await check('Second factor');
    await page.getByRole('link', { name: 'Turn off' }).click();
    await check('Turn the second factor off');

    await page.goto(`${site.url}/logout`);
    await check('Sign out?');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();

    site.clock.advance(30_000);
    await signIn(page);
    await check('One more step');
    await page.getByLabel('Code').fill(await codeOf(secret));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();

    await page.context().clearCookies({ name: 'optio_session' });
    await page.getByRole('button', { name: /^Act for/ }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();

    expect(found).toEqual([]);
    expect(faults.filter((fault) => !ANSWER_STATUS.test(fault))).toEqual([]);
    await page.context().close();
    await site.sql('DELETE FROM second_factors');
  });

  it('work without JavaScript, and send their forms with their origin', async () => {
    const { page, faults } = await openPage(browser, { javaScriptEnabled: false });
    const origins: (string | undefined)[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST') origins.push(request.headers()['origin']);
    });
    await signIn(page);
    await page.getByRole('button', { name: /^Act for/ }).click();
    await page.getByText('You act for another organization now.').waitFor();
    await page.getByRole('link', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    expect(origins).toEqual([site.url, site.url, site.url]);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('run nothing that got into them', async () => {
    const { page, faults } = await openPage(browser);
    await page.route('**/login', async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(
        '</main>',
        '<script>document.title = "run"</script></main>',
      );
      await route.fulfill({ response, body });
    });
    await page.goto(`${site.url}/login`);
    expect(await page.title()).toBe('Sign in · Optio Connect');
    expect(faults.join()).toContain('Content Security Policy');
    await page.context().close();
  });

  it('are shown in no frame', async () => {
    const { page } = await openPage(browser);
    await page.route('**/frame', (route) =>
      route.fulfill({ contentType: 'text/html', body: `<iframe src="${site.url}/login"></iframe>` }),
    );
    await page.goto(`${site.url}/frame`);
    expect(await page.frames()[1]?.getByRole('heading').count()).toBe(0);
    await page.context().close();
  });
});
