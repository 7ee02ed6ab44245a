/** A client that people have allowed, with a refresh token of each: as the authorization endpoint leaves it behind. */
import type { Client as Database } from 'pg';
import { z } from 'zod';
import { randomAlphanumeric, sha256 } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { insertAuthorization } from '../../src/oauth/authorization-statements.ts';
import { insertClient, insertClientSecret } from '../../src/oauth/statements.ts';
import type { Optio } from './optio.ts';

const REDIRECT_URI = 'https://lms.example/callback';
const SCOPES = ['read', 'write'];
const DAY_MS = 86_400_000;

export type ChainClient = {
  readonly clientId: string;
  readonly secret: string;
  readonly chains: readonly string[];
};

const answer = z.object({ refresh_token: z.string() });

/** Registers the client in the product, and has so many people allow it. */
export async function beginChains({ url, database }: Optio, count: number): Promise<ChainClient> {
  const { rows } = await database.query<{ id: string }>(
    'SELECT organization_id AS id FROM oauth_clients LIMIT 1',
  );
  const organizationId = rows[0]?.id ?? '';
  const client = await addClient(database, organizationId);
  const chains: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const code = await allow(database, {
      organizationId,
      clientRef: client.id,
      email: `${number}@school.example`,
    });
    const response = await fetch(`${url}/api/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code,
        redirect_uri: REDIRECT_URI,
        client_id: client.clientId,
        client_secret: client.secret,
      }),
    });
    chains.push(answer.parse(await response.json()).refresh_token);
  }
  return { ...client, chains };
}

async function addClient(database: Database, organizationId: string) {
  const [id, clientId, secret] = [newId(), randomAlphanumeric(20), randomAlphanumeric(43)];
  const client = {
    organizationId,
    id,
    clientId,
    name: 'An LMS',
    type: 'CONFIDENTIAL',
    status: 'APPROVED',
    grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
    scopes: SCOPES,
    redirectUris: [REDIRECT_URI],
    requiresPkce: false,
  } as const;
  const now = new Date();
  await database.query(insertClient(client, now));
  await database.query(
    insertClientSecret({ organizationId, id: newId(), clientRef: id, hash: sha256(secret) }, now),
  );
  return { id, clientId, secret };
}

type Person = { readonly organizationId: string; readonly clientRef: string; readonly email: string };

/** Answers the code. */
async function allow(database: Database, { organizationId, clientRef, email }: Person): Promise<string> {
  const [userId, code, now] = [newId(), randomAlphanumeric(43), new Date()];
  await database.query(`INSERT INTO users (id, email, name) VALUES ($1, $2, 'Ada')`, [userId, email]);
  await database.query(
    `INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, 'EDUCATOR')`,
    [organizationId, userId],
  );
  const statement = insertAuthorization(
    {
      organizationId,
      clientRef,
      userId,
      scopes: SCOPES,
      rememberedScopes: null,
      consentId: newId(),
      grantId: newId(),
      grantExpiresAt: new Date(now.getTime() + 90 * DAY_MS),
      code: {
        id: newId(),
        hash: sha256(code),
        redirectUri: REDIRECT_URI,
        codeChallenge: null,
        expiresAt: new Date(now.getTime() + 300_000),
      },
    },
    now,
  );
  await database.query(statement);
  return code;
}
