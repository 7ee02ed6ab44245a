/** The strategy that Node's web applications sign people in with, unchanged, against this server on a real socket. */
import { Strategy } from 'passport-oauth2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Visitor } from '../accounts/site.ts';
import { type AuthorizationSite, decide, openAuthorizationSite } from './authorization-site.ts';
import type { TestClient } from './harness.ts';
import { REDIRECT_URI } from './people.ts';

let site: AuthorizationSite;
let visitor: Visitor;
/** PKCE is required of it. */
let strict: TestClient;
/** It need not send PKCE. */
let exempt: TestClient;

beforeAll(async () => {
  site = await openAuthorizationSite();
  visitor = await site.signedIn(await site.addMember());
  [strict, exempt] = await Promise.all([site.addClient(), site.addClient({ requiresPkce: false })]);
});
afterAll(() => site.close());

/** What the person's browser does with the URL that a client made: where it is sent back to. */
async function visit(url: string, decision: 'allow' | 'deny' = 'allow'): Promise<URL> {
  expect(url.startsWith(`${site.url}/api/oauth/authorize?`)).toBe(true);
  const path = url.slice(site.url.length);
  const asked = await visitor.get(path);
  const { location } = asked.status === 303 ? asked : await decide(visitor, path, decision);
  return new URL(location ?? '');
}

describe('passport-oauth2', () => {
  type Outcome =
    | { readonly redirect: string }
    | { readonly success: object }
    | { readonly fail: unknown }
    | { readonly error: unknown };

  /** The strategy as passport would run it, for one request of a browser with a session. */
  function authenticate(
    strategy: Strategy,
    session: object,
    query: Readonly<Record<string, string>>,
  ): Promise<Outcome> {
    return new Promise((resolve) => {
      strategy.redirect = (redirect) => resolve({ redirect });
      strategy.success = (success) => resolve({ success });
      strategy.fail = (fail) => resolve({ fail });
      strategy.error = (error) => resolve({ error });
      // All of a request that it looks at.
      const request = { query, session, url: '/', headers: {}, connection: {} } as unknown as Parameters<
        Strategy['authenticate']
      >[0];
      strategy.authenticate(request);
    });
  }

  function create({ clientId, secret }: TestClient, options: object): Strategy {
    const strategy = new Strategy(
      {
        authorizationURL: `${site.url}/api/oauth/authorize`,
        tokenURL: `${site.url}/api/oauth/token`,
        clientID: clientId,
        clientSecret: secret,
        callbackURL: REDIRECT_URI,
        scope: ['read:quests', 'read:tasks'],
        state: true,
        ...options,
      },
      // oxlint-disable-next-line max-params -- The strategy counts them, to know what to hand over.
      (access, refresh, params, _profile, done) => done(null, { access, refresh, params }),
    );
    strategy.userProfile = (_token, done) => done(null, {});
    return strategy;
  }

  test.each([
    ['with PKCE', () => strict, { pkce: true }],
    ['without PKCE', () => exempt, {}],
  ] as const)('%s: redirect, callback, tokens', async (_, choose, options) => {
    const strategy = create(choose(), options);
    const session = {};
    const began = await authenticate(strategy, session, {});
    const back = await visit('redirect' in began ? began.redirect : JSON.stringify(began));
    const done = await authenticate(strategy, session, Object.fromEntries(back.searchParams));
    expect(done).toMatchObject({
      success: {
        access: expect.any(String),
        refresh: expect.any(String),
        params: { scope: 'read:quests read:tasks', token_type: 'Bearer' },
      },
    });
  });

  test('fails, and is no error, when the person denies', async () => {
    const strategy = create(await site.addClient(), { pkce: true });
    const session = {};
    const began = await authenticate(strategy, session, {});
    const back = await visit('redirect' in began ? began.redirect : JSON.stringify(began), 'deny');
    expect(await authenticate(strategy, session, Object.fromEntries(back.searchParams))).toEqual({
      fail: { message: 'The person did not allow it.' },
    });
  });
});
