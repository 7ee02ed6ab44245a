/** How often the authorization endpoint may be asked. */
import { afterEach, expect, test } from 'vitest';
import {
  AUTHORIZE,
  type AuthorizationSite,
  decide,
  openAuthorizationSite,
  requestPath,
} from './authorization-site.ts';

let site: AuthorizationSite;
afterEach(() => site.close());

test('Pages of one address are limited, generously, with a page that says when to come again (rule 57)', async () => {
  site = await openAuthorizationSite({ limits: { requestsPerMinute: 2, failuresPerMinute: 100 } });
  const visitor = site.browse();
  const statuses: number[] = [];
  for (let count = 0; count < 8; count++) statuses.push((await visitor.get(AUTHORIZE)).status);
  expect(statuses).toEqual(Array.from({ length: 8 }, () => 400)); // It names no client.
  const refused = await visitor.get(AUTHORIZE);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(refused.text).toContain('Please wait a moment');
});

test('What a person allows is limited, since it writes what lasts; another person goes on (rule 57)', async () => {
  site = await openAuthorizationSite();
  const client = await site.addClient();
  const [ada, bob] = [
    await site.signedIn(await site.addMember()),
    await site.signedIn(await site.addMember()),
  ];
  await decide(ada, requestPath(client), 'allow');
  const statuses: number[] = [];
  for (let count = 0; count < 30; count++) statuses.push((await ada.get(requestPath(client))).status);
  expect(statuses.slice(0, 29).every((status) => status === 303)).toBe(true);
  expect(statuses.at(-1)).toBe(429);
  expect((await decide(bob, requestPath(client), 'allow')).status).toBe(303);
});
