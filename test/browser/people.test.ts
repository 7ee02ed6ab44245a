import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inviteTo } from '../accounts/inviting.ts';
import { openSite, type Site } from '../accounts/site.ts';
import { launchBrowser, openPage } from '../support/browser.ts';
import { ANSWER_STATUS, findFaults } from '../support/browser-faults.ts';

let site: Site;
let browser: Browser;

beforeAll(async () => {
  [site, browser] = await Promise.all([openSite(), launchBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

describe('the pages of links in mails', () => {
  it('are there for everybody: in light and dark, wide and narrow, by keyboard and screen reader', async () => {
    const { page, faults } = await openPage(browser);
    const found: string[] = [];
    const check = async (heading: string): Promise<void> => {
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
      found.push(...(await findFaults(page)));
    };
    const organizationId = await site.addOrganization(
      'The Northfield School of Rivers, Woods and Everything Else',
    );
    const open = (path: string) => page.goto(`${site.url}${path}`);

    const invitation = await inviteTo(site, organizationId, 'ada@school.example');
    await open(invitation);
    await check('The Northfield School');
    await page.getByLabel('Choose a password').fill('short');
    await page.keyboard.press('Enter');
    await page.getByText('A password needs at least 12 characters').waitFor();
    expect(await page.getByLabel('Choose a password').getAttribute('aria-invalid')).toBe('true');
    await check('The Northfield School');
    await page.getByLabel('Your name').fill('Ada Lovelace');
    await page.getByLabel('Choose a password').fill('seventeen quiet herons');
    await page.keyboard.press('Enter');
    await page.getByText('You are a member now.').waitFor();
    await check('Sign in');
    await open(invitation);
    await check('This invitation is not good any more');

    await open(await inviteTo(site, await site.addOrganization('Southgate'), 'ada@school.example'));
    await page.getByText('You have an account already').waitFor();
    await check('Southgate invites you');
    await page.getByRole('button', { name: 'Join Southgate' }).click();
    await page.getByText('You are a member now.').waitFor();

    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await page.getByLabel('Email address').fill('ada@school');
    await check('Forgot your password?');
    const link = site.mailbox.nextLink('ada@school.example');
    await page.getByLabel('Email address').fill('ada@school.example');
    await page.keyboard.press('Enter');
    await check('Look into your mailbox');
    await open(await link);
    await check('Choose a new password');
    await page.getByLabel('New password').fill('eighteen quiet herons');
    await page.keyboard.press('Enter');
    await page.getByText('Your new password is set.').waitFor();
    await open(await link);
    await check('This link is not good any more');

    await open('/login');
    await page.getByLabel('Email address').fill('ada@school.example');
    await page.getByLabel('Password').fill('eighteen quiet herons');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();

    expect(found).toEqual([]);
    expect(faults.filter((fault) => !ANSWER_STATUS.test(fault))).toEqual([]);
    await page.context().close();
  });

  it('say that there is no mail, where there is none', async () => {
    const silent = await openSite({ canMail: false });
    const { page } = await openPage(browser);
    await page.goto(`${silent.url}/forgot`);
    await page.getByRole('heading', { level: 1, name: 'No mail from here' }).waitFor();
    expect(await findFaults(page)).toEqual([]);
    await page.context().close();
    await silent.close();
  });
});
