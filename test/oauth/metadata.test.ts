import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCOPES } from '../../src/accounts/scope.ts';
import { authorizationServerMetadata } from '../../src/oauth/metadata.ts';
import { type Harness, startHarness } from './harness.ts';

const AUTHORIZATION_SERVER = '/.well-known/oauth-authorization-server';
const PROTECTED_RESOURCE = '/.well-known/oauth-protected-resource';
const ALL_SCOPES = SCOPES.map(({ name }) => name);
let harness: Harness;

describe('at the root of its host', () => {
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness.close());

  test('authorization server metadata names what there is, and no more (RFC 8414 2)', async () => {
    const { status, body } = await harness.callResource(AUTHORIZATION_SERVER);
    expect(status).toBe(200);
    expect(body).toEqual({
      issuer: harness.issuer,
      authorization_endpoint: `${harness.issuer}/api/oauth/authorize`,
      token_endpoint: `${harness.issuer}/api/oauth/token`,
      revocation_endpoint: `${harness.issuer}/api/oauth/revoke`,
      introspection_endpoint: `${harness.issuer}/api/oauth/introspect`,
      jwks_uri: `${harness.issuer}/api/oauth/jwks`,
      scopes_supported: ALL_SCOPES,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      authorization_response_iss_parameter_supported: true,
    });
  });

  test('protected resource metadata leads to the authorization server (RFC 9728 2)', async () => {
    const { status, body } = await harness.callResource(PROTECTED_RESOURCE);
    expect(status).toBe(200);
    expect(body).toEqual({
      resource: harness.issuer,
      authorization_servers: [harness.issuer],
      scopes_supported: ALL_SCOPES,
      bearer_methods_supported: ['header'],
      resource_name: 'Optio Connect',
    });
  });

  test('documents and keys may be kept for a while, and are read only', async () => {
    for (const path of [AUTHORIZATION_SERVER, PROTECTED_RESOURCE, '/api/oauth/jwks']) {
      const read = await harness.callResource(path);
      expect(read.headers['cache-control']).toBe('public, max-age=300');
      const written = await fetch(harness.issuer + path, { method: 'POST' });
      expect(written.status).toBe(405);
      expect(written.headers.get('allow')).toBe('GET, HEAD');
      expect((await fetch(harness.issuer + path, { method: 'HEAD' })).status).toBe(200);
    }
  });
});

describe('with a path in its issuer', () => {
  beforeAll(async () => {
    harness = await startHarness({ path: '/optio' });
  });
  afterAll(() => harness.close());

  test('each document stands where the path is inserted (RFC 8414 3.1, RFC 9728 3.1), and at the root', async () => {
    for (const path of [AUTHORIZATION_SERVER, `${AUTHORIZATION_SERVER}/optio`]) {
      const { body } = await harness.callResource(path);
      expect(body).toMatchObject({
        issuer: harness.issuer,
        token_endpoint: `${harness.issuer}/api/oauth/token`,
      });
    }
    for (const path of [PROTECTED_RESOURCE, `${PROTECTED_RESOURCE}/optio`]) {
      expect((await harness.callResource(path)).body).toMatchObject({ resource: harness.issuer });
    }
  });

  test('49: challenges lead to the document behind the inserted path', async () => {
    const { headers } = await harness.callResource('/guarded/read:quests');
    expect(headers['www-authenticate']).toContain(`${PROTECTED_RESOURCE}/optio"`);
  });
});

test('the issuer is repeated byte for byte, with its slash if it has one', () => {
  const metadata = authorizationServerMetadata('https://connect.example/', []);
  expect(metadata.issuer).toBe('https://connect.example/');
  expect(metadata.token_endpoint).toBe('https://connect.example/api/oauth/token');
});
