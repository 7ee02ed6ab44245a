/** What is wrong with a page for who cannot see it all, or not as it was drawn. */
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';

// No rule of the style sheet is for a theme and a width together: two looks show all there is, and axe is slow.
const LOOKS = [
  { colorScheme: 'light', width: 1_280 },
  { colorScheme: 'dark', width: 390 },
] as const;

/** What axe finds, and whether anything sticks out to the right, in both themes, wide and narrow. */
export async function findFaults(page: Page): Promise<readonly string[]> {
  const faults: string[] = [];
  // Without frames to look into, axe needs no second page for its result.
  const axe = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'] });
  for (const { colorScheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    const { violations } = await axe.analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth))
      found.push('too wide');
    faults.push(...found.map((fault) => `${page.url()} ${colorScheme} ${width}: ${fault}`));
  }
  return faults;
}

/** What a browser notes of an answer that is a page, and not a fault of it. */
export const ANSWER_STATUS = /the server responded with a status of 4\d\d/;
