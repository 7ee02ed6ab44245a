/**
 * The peer of the token endpoint: oidc-provider with PostgreSQL storage and JWT access tokens (RFC 9068, ES256). Clients,
 * grants and refresh tokens lie in one table with their payload as JSON, as its documentation's adapters have it. It stores
 * nothing of a JWT access token, which it can therefore neither list nor revoke. CHAINS families of refresh tokens are there from the start, at /chains.
 */
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';
import { Pool } from 'pg';
import { listen } from '../support/listen.ts';
import { createAdapter } from '../support/oidc-adapter.ts';

const { DATABASE_URL = '', CLIENT_ID = '', CLIENT_SECRET = '', CHAINS = '1' } = process.env;
const RESOURCE = 'urn:optio:api';
const SCOPE = 'read write';
const DAY = 86_400;

const pool = new Pool({ connectionString: DATABASE_URL, max: 10 });
await pool.query(`CREATE TABLE IF NOT EXISTS payloads (
  model text NOT NULL, id text NOT NULL, payload jsonb NOT NULL, grant_id text, expires_at timestamptz, consumed_at timestamptz,
  PRIMARY KEY (model, id))`);
await pool.query('CREATE INDEX IF NOT EXISTS payloads_grant ON payloads (grant_id)');

const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider('http://127.0.0.1', {
  adapter: createAdapter(pool),
  jwks: { keys: [{ ...jwk, alg: 'ES256', use: 'sig' }] },
  findAccount: (_ctx: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'read', 'write'],
  ttl: { AccessToken: 3_600, ClientCredentials: 3_600, Grant: 90 * DAY, RefreshToken: 30 * DAY },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: SCOPE,
        audience: RESOURCE,
        accessTokenTTL: 3_600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
await createAdapter(pool)('Client').upsert(CLIENT_ID, {
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  token_endpoint_auth_method: 'client_secret_post',
  grant_types: ['client_credentials', 'refresh_token', 'authorization_code'],
  redirect_uris: ['https://lms.example/callback'],
  scope: 'openid offline_access read write',
});
const chains = await Promise.all(
  Array.from({ length: Number(CHAINS) }, (_, index) => beginChain(`person-${index}`)),
);

const handle = provider.callback();
listen((request, response) => {
  if (request.url !== '/chains') return void handle(request, response);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(chains));
});

/** What a person's consent leaves behind, and its first refresh token. */
async function beginChain(accountId: string): Promise<string> {
  const client = await provider.Client.find(CLIENT_ID);
  const grant = new provider.Grant({ accountId, clientId: CLIENT_ID });
  grant.addResourceScope(RESOURCE, SCOPE);
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId,
    client,
    grantId,
    gty: 'authorization_code',
    resource: RESOURCE,
    scope: SCOPE,
    authTime: Math.floor(Date.now() / 1_000),
  });
  return token.save();
}
