/**
 * Clients that people use, unchanged, against this server on a real socket: discovery, the code flow, refresh,
 * introspection, revocation, and what each makes of a refusal. The person is a browser without scripts.
 */
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { AuthorizationCode } from 'simple-oauth2';
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
/** It has no secret. */
let open: TestClient;

beforeAll(async () => {
  site = await openAuthorizationSite();
  visitor = await site.signedIn(await site.addMember());
  [strict, exempt, open] = await Promise.all([
    site.addClient(),
    site.addClient({ requiresPkce: false }),
    site.addClient({ type: 'PUBLIC' }),
  ]);
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

/** Whether a token opens what is protected by it. */
async function opens(token: string | undefined): Promise<boolean> {
  const response = await fetch(`${site.url}/viewer`, { headers: { authorization: `Bearer ${token}` } });
  return response.status === 200;
}

describe('oauth4webapi', () => {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const kinds = [
    ['client_secret_basic', () => strict, oauth.ClientSecretBasic],
    ['client_secret_post', () => strict, oauth.ClientSecretPost],
    ['none', () => open, oauth.None],
  ] as const;

  async function discover(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(site.url);
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
    return oauth.processDiscoveryResponse(issuer, response);
  }

  async function requestUrl(
    server: oauth.AuthorizationServer,
    client: TestClient,
    verifier: string,
    state: string,
  ) {
    const url = new URL(server.authorization_endpoint ?? '');
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: client.clientId,
      redirect_uri: REDIRECT_URI,
      scope: 'read:quests read:grades',
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      prompt: 'consent',
    }).toString();
    return url.href;
  }

  test.each(kinds)('with %s: code, resource, refresh, revocation', async (_, choose, authentication) => {
    const of = choose();
    const client = { client_id: of.clientId };
    const method = authentication(of.secret);
    const [server, verifier, state] = [
      await discover(),
      oauth.generateRandomCodeVerifier(),
      oauth.generateRandomState(),
    ];
    const back = await visit(await requestUrl(server, of, verifier, state));
    const parameters = oauth.validateAuthResponse(server, client, back, state);
    const exchanged = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      method,
      parameters,
      REDIRECT_URI,
      verifier,
      insecure,
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, exchanged);
    expect(tokens).toMatchObject({
      token_type: 'bearer',
      expires_in: 3_600,
      scope: 'read:quests read:grades',
    });
    const resource = new URL('/viewer', site.url);
    const headers = new Headers();
    const call = await oauth.protectedResourceRequest(
      tokens.access_token,
      'GET',
      resource,
      headers,
      null,
      insecure,
    );
    expect(call.status).toBe(200);

    const narrowed = { ...insecure, additionalParameters: { scope: 'read:quests' } };
    const refreshed = await oauth.refreshTokenGrantRequest(
      server,
      client,
      method,
      tokens.refresh_token ?? '',
      narrowed,
    );
    const next = await oauth.processRefreshTokenResponse(server, client, refreshed);
    expect(next.scope).toBe('read:quests');
    const revoked = await oauth.revocationRequest(server, client, method, next.refresh_token ?? '', insecure);
    expect(await oauth.processRevocationResponse(revoked)).toBeUndefined();
    expect([await opens(tokens.access_token), await opens(next.access_token)]).toEqual([false, false]);
    const again = await oauth.refreshTokenGrantRequest(
      server,
      client,
      method,
      next.refresh_token ?? '',
      insecure,
    );
    await expect(oauth.processRefreshTokenResponse(server, client, again)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });

  test('introspects its token, until it is revoked', async () => {
    const of = strict;
    const client = { client_id: of.clientId };
    const method = oauth.ClientSecretBasic(of.secret);
    const [server, verifier] = [await discover(), oauth.generateRandomCodeVerifier()];
    const back = await visit(await requestUrl(server, of, verifier, 'x'));
    const parameters = oauth.validateAuthResponse(server, client, back, 'x');
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      method,
      parameters,
      REDIRECT_URI,
      verifier,
      insecure,
    );
    const { access_token: token } = await oauth.processAuthorizationCodeResponse(server, client, response);
    const introspect = async () =>
      oauth.processIntrospectionResponse(
        server,
        client,
        await oauth.introspectionRequest(server, client, method, token, insecure),
      );
    expect(await introspect()).toMatchObject({ active: true, client_id: of.clientId });
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, method, token, insecure),
    );
    expect(await introspect()).toEqual({ active: false });
  });

  test('is told who denies, and of whom an answer is not (RFC 9207)', async () => {
    const of = strict;
    const client = { client_id: of.clientId };
    const [server, verifier] = [await discover(), oauth.generateRandomCodeVerifier()];
    const denied = await visit(await requestUrl(server, of, verifier, 'x'), 'deny');
    expect(() => oauth.validateAuthResponse(server, client, denied, 'x')).toThrow(
      expect.objectContaining({ error: 'access_denied' }),
    );
    const allowed = await visit(await requestUrl(server, of, verifier, 'x'));
    expect(() => oauth.validateAuthResponse(server, client, allowed, 'y')).toThrow(/state/);
    const other = { ...server, issuer: 'https://another.example' };
    expect(() => oauth.validateAuthResponse(other, client, allowed, 'x')).toThrow(/iss/);
    const parameters = oauth.validateAuthResponse(server, client, allowed, 'x');
    const wrong = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.ClientSecretPost(of.secret),
      parameters,
      REDIRECT_URI,
      oauth.generateRandomCodeVerifier(),
      insecure,
    );
    await expect(oauth.processAuthorizationCodeResponse(server, client, wrong)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });
});

describe('openid-client', () => {
  const discover = (client: TestClient) =>
    openid.discovery(new URL(site.url), client.clientId, client.secret, undefined, {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    });

  test('with PKCE: code, introspection, refresh, revocation', async () => {
    const configuration = await discover(strict);
    const verifier = openid.randomPKCECodeVerifier();
    const expectedState = openid.randomState();
    const url = openid.buildAuthorizationUrl(configuration, {
      redirect_uri: REDIRECT_URI,
      scope: 'read',
      state: expectedState,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const back = await visit(url.href);
    const checks = { pkceCodeVerifier: verifier, expectedState };
    const tokens = await openid.authorizationCodeGrant(configuration, back, checks);
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'read' });
    expect(await opens(tokens.access_token)).toBe(true);
    expect(await openid.tokenIntrospection(configuration, tokens.access_token)).toMatchObject({
      active: true,
    });
    const next = await openid.refreshTokenGrant(configuration, tokens.refresh_token ?? '');
    await openid.tokenRevocation(configuration, next.refresh_token ?? '');
    expect(await opens(next.access_token)).toBe(false);
    await expect(openid.refreshTokenGrant(configuration, next.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    await expect(openid.authorizationCodeGrant(configuration, back, checks)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });

  test('without PKCE, where the client is exempt, and refused where it is not (rule 8)', async () => {
    const request = { redirect_uri: REDIRECT_URI, scope: 'read' };
    const configuration = await discover(exempt);
    const back = await visit(openid.buildAuthorizationUrl(configuration, request).href);
    expect(await openid.authorizationCodeGrant(configuration, back)).toMatchObject({ scope: 'read' });
    const stricter = await discover(strict);
    const refused = await visit(openid.buildAuthorizationUrl(stricter, request).href);
    await expect(openid.authorizationCodeGrant(stricter, refused)).rejects.toMatchObject({
      error: 'invalid_request',
    });
  });

  test('is told when the person denies', async () => {
    const other = await site.addClient({ requiresPkce: false });
    const configuration = await discover(other);
    const url = openid.buildAuthorizationUrl(configuration, { redirect_uri: REDIRECT_URI, scope: 'read' });
    const back = await visit(url.href, 'deny');
    await expect(openid.authorizationCodeGrant(configuration, back)).rejects.toMatchObject({
      error: 'access_denied',
    });
  });
});

describe('simple-oauth2', () => {
  const create = ({ clientId, secret }: TestClient, authorizationMethod: 'header' | 'body') =>
    new AuthorizationCode({
      client: { id: clientId, secret },
      auth: {
        tokenHost: site.url,
        tokenPath: '/api/oauth/token',
        revokePath: '/api/oauth/revoke',
        authorizePath: '/api/oauth/authorize',
      },
      options: { authorizationMethod },
    });

  test.each(['header', 'body'] as const)(
    'with its secret in the %s: code, refresh, revocation',
    async (method) => {
      const client = create(exempt, method);
      const back = await visit(
        client.authorizeURL({ redirect_uri: REDIRECT_URI, scope: 'read', state: 'a b' }),
      );
      expect(back.searchParams.get('state')).toBe('a b');
      const code = back.searchParams.get('code') ?? '';
      const tokens = await client.getToken({ code, redirect_uri: REDIRECT_URI });
      expect(await opens(String(tokens.token['access_token']))).toBe(true);
      const next = await tokens.refresh({ scope: 'read:quests' });
      expect(next.token).toMatchObject({ scope: 'read:quests' });
      await next.revokeAll();
      expect(await opens(String(next.token['access_token']))).toBe(false);
      await expect(next.refresh()).rejects.toMatchObject({
        output: { statusCode: 400 },
        data: { payload: { error: 'invalid_grant' } },
      });
      await expect(client.getToken({ code, redirect_uri: REDIRECT_URI })).rejects.toMatchObject({
        data: { payload: { error: 'invalid_grant' } },
      });
    },
  );

  test('with a wrong secret is told so', async () => {
    const client = create({ ...exempt, secret: 'wrong' }, 'header');
    await expect(client.getToken({ code: 'x', redirect_uri: REDIRECT_URI })).rejects.toMatchObject({
      output: { statusCode: 401 },
      data: { payload: { error: 'invalid_client' } },
    });
  });
});
