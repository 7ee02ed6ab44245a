/** A browser out of the registry, without anything to install or to download. */
import chromium from '@sparticuz/chromium';
import { type Browser, type BrowserContextOptions, chromium as engine, type Page } from 'playwright-core';
import { PATIENCE_MS } from './patience.ts';

// Not the package's own arguments: those switch web security off, and end the browser with its first context.
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

/** Starts it, without a window. */
export async function launchBrowser(): Promise<Browser> {
  return engine.launch({ executablePath: await chromium.executablePath(), args: ARGUMENTS });
}

export type WatchedPage = {
  readonly page: Page;
  /** What went wrong so far: console errors, uncaught ones, requests to other machines. */
  readonly faults: readonly string[];
};

/** A page in a context of its own that notes what must not happen. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    const isHere = ['127.0.0.1', 'localhost'].includes(hostname);
    if (protocol !== 'data:' && protocol !== 'blob:' && !isHere) faults.push(request.url());
  });
  return { page, faults };
}
