/** The pages of accounts on a real socket, and a browser that knows no scripts: cookies, forms, no redirects by itself. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { type Accounts, createAccounts } from '../../src/accounts/accounts.ts';
import type { AccountAct } from '../../src/accounts/act.ts';
import { PASSWORD_GATE } from '../../src/accounts/password-check.ts';
import { createPeople } from '../../src/accounts/people.ts';
import { startPeopleMailer } from '../../src/accounts/people-mailer.ts';
import { createGate } from '../../src/lib/gate.ts';
import type { HttpEnv } from '../../src/platform/http/env.ts';
import { createHttpShell } from '../../src/platform/http/shell.ts';
import { parseCidrs } from '../../src/platform/ip-range.ts';
import { createLog } from '../../src/platform/log.ts';
import { TEST_KEY } from '../support/database.ts';
import { type Mailbox, openMailbox } from './mailbox.ts';
import { openPeople, type People } from './people.ts';

/** Where the browsers of the tests come through a proxy. */
const LOOPBACK = parseCidrs('127.0.0.0/8');

export type Site = People & {
  readonly url: string;
  readonly accounts: Accounts;
  readonly mailbox: Mailbox;
  /** The access log and what went wrong, line by line. */
  readonly log: readonly string[];
  /** What was recorded. */
  readonly acts: AccountAct[];
  /** Nothing can be recorded from now on. */
  readonly breakRecord: (broken: boolean) => void;
  /** A new browser at an address of its own, unless one is given. */
  readonly browse: (address?: string) => Visitor;
};

export type SiteOptions = {
  readonly requireSecondFactor?: boolean;
  readonly https?: boolean;
  readonly canMail?: boolean;
  /** Pages of other features, to stand beside them. */
  readonly mount?: (parts: SiteParts) => readonly Hono<HttpEnv>[];
};

export type SiteParts = Pick<Site, 'pool' | 'clock' | 'accounts'> & { readonly publicUrl: string };

/** Opens the pages; `https`: as they are behind a proxy that ends TLS. */
export async function openSite({
  requireSecondFactor = false,
  https = false,
  canMail = true,
  mount = () => [],
}: SiteOptions = {}): Promise<Site> {
  const people = await openPeople();
  const acts: AccountAct[] = [];
  let isRecordBroken = false;
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo; // It listens on a port.
  const publicUrl = https ? 'https://optio.example' : `http://127.0.0.1:${port}`;
  const gate = createGate(PASSWORD_GATE);
  const accounts = createAccounts({
    pool: people.pool,
    clock: people.clock,
    keys: [TEST_KEY],
    publicUrl,
    corsOrigins: [],
    requireSecondFactor,
    record: async (act) => {
      if (isRecordBroken) throw new Error('The record cannot be written.');
      acts.push(act);
    },
    gate,
  });
  const mailbox = openMailbox();
  const mailer = startPeopleMailer({
    pool: people.pool,
    clock: people.clock,
    publicUrl,
    transport: canMail ? mailbox.transport : undefined,
    sends: true,
    warn: () => undefined,
  });
  const links = createPeople({
    pool: people.pool,
    clock: people.clock,
    keys: [TEST_KEY],
    publicUrl,
    gate,
    mail: mailer.mail,
    onMemberJoined: async () => () => undefined,
  });
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: 'info', pretty: false, destination });
  const shell = createHttpShell({ log, clock: people.clock, https, trustedProxies: LOOPBACK })
    .route('/', accounts.pages)
    .route('/', links.pages);
  for (const routes of mount({ ...people, accounts, publicUrl })) shell.route('/', routes);
  const listener = getRequestListener((request, { incoming }) =>
    shell.fetch(request, { peerAddress: incoming.socket.remoteAddress }),
  );
  server.on('request', (request, response) => void listener(request, response));
  const url = `http://127.0.0.1:${port}`;
  let visitors = 0;
  return {
    ...people,
    url,
    accounts,
    mailbox,
    log: lines,
    acts,
    breakRecord: (broken) => void (isRecordBroken = broken),
    browse: (address) => createVisitor(url, publicUrl, address ?? `198.51.100.${++visitors}`),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await mailer.stop();
      await people.close();
    },
  };
}

export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly location: string | null;
  readonly text: string;
};

export type Visitor = {
  readonly cookies: Map<string, string>;
  readonly get: (path: string) => Promise<Answer>;
  /** Fills in the form of a page that posts to `action` (its hidden fields as they are) and sends it. */
  readonly send: (page: string, action: string, fields?: Readonly<Record<string, string>>) => Promise<Answer>;
  /** Posts fields without looking at a page. */
  readonly post: (
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Answer>;
  readonly signIn: (email: string, password: string, returnTo?: string) => Promise<Answer>;
};

function createVisitor(url: string, publicUrl: string, address: string): Visitor {
  const cookies = new Map<string, string>();
  const request = async (path: string, init: RequestInit): Promise<Answer> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, 'x-forwarded-for': address, 'user-agent': FIREFOX };
    const response = await fetch(`${url}${path}`, {
      ...init,
      redirect: 'manual',
      headers: { ...headers, ...Object.fromEntries(new Headers(init.headers)) },
    });
    for (const line of response.headers.getSetCookie()) keep(cookies, line);
    const location = response.headers.get('location');
    return { status: response.status, headers: response.headers, location, text: await response.text() };
  };
  const { origin } = new URL(publicUrl);
  const visitor: Visitor = {
    cookies,
    get: (path) => request(path, {}),
    post: (path, fields, headers) =>
      request(path, { method: 'POST', body: new URLSearchParams(fields), headers: { origin, ...headers } }),
    send: async (page, action, fields = {}) => {
      const { text } = await visitor.get(page);
      return visitor.post(action, { ...hiddenFields(text, action), ...fields });
    },
    signIn: (email, password, returnTo) =>
      visitor.send(
        returnTo === undefined ? '/login' : `/login?return_to=${encodeURIComponent(returnTo)}`,
        '/login',
        {
          email,
          password,
        },
      ),
  };
  return visitor;
}

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

function keep(cookies: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
  if (/max-age=0/i.test(line)) cookies.delete(name);
  else cookies.set(name, value);
}

/** The hidden fields of the first form of the page that posts to the path. */
export function hiddenFields(page: string, action: string): Record<string, string> {
  const form = page
    .split('<form ')
    .find((part) => part.startsWith(`method="post" action="${action.replaceAll('&', '&amp;')}"`));
  if (form === undefined) throw new Error(`The page has no form that posts to ${action}.`);
  const inputs = form
    .split('</form>', 1)[0]
    ?.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return Object.fromEntries([...(inputs ?? [])].map(([, name = '', value = '']) => [name, unescape(value)]));
}

function unescape(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
