/** OAuth clients (RFC 6749 2) as the token endpoint sees them: who they are, what they may, how they prove it. */
import type { Pool } from 'pg';
import { createBoundedMemory } from '../lib/bounded-memory.ts';
import type { Clock } from '../lib/clock.ts';
import { selectClient } from './statements.ts';

export type Client = {
  readonly organizationId: string;
  /** The key of its row; `clientId` is what the outside knows. */
  readonly id: string;
  readonly clientId: string;
  readonly type: 'CONFIDENTIAL' | 'PUBLIC';
  readonly status: 'PENDING' | 'APPROVED' | 'REJECTED' | 'SUSPENDED';
  readonly grantTypes: readonly string[];
  readonly scopes: readonly string[];
  readonly redirectUris: readonly string[];
  /** SHA-256 of each secret that was valid when the client was read; several during a rotation. */
  readonly secretHashes: readonly Buffer[];
};

/** A client that proved itself. */
export type AuthenticatedClient = Client & {
  /** The hash of the secret it used; null: a public client, which has none. */
  readonly usedSecretHash: Buffer | null;
};

export type Clients = {
  /** The client as it is now, with its valid secrets; undefined when there is none. One round trip. */
  readonly find: (clientId: string) => Promise<Client | undefined>;
  /**
   * The client as it was when it was last found. It may have been suspended or changed since, so it is good for
   * nothing but an attempt whose conditions the database checks again.
   */
  readonly recall: (clientId: string) => Client | undefined;
};

const MAX_REMEMBERED = 1_000;
// RFC 6749 A.1 allows more; without %, + and : both dialects of Basic spell an id alike.
const CLIENT_ID = /^(?!.*[%+:])[!-~]{1,255}$/;

/** Whether a text can be a client_id here: up to 255 visible ASCII characters, none of them `%`, `+` or `:`. */
export function isClientId(text: string): boolean {
  return CLIENT_ID.test(text);
}

/** The clients of the database, with a bounded memory of those that were found lately. */
export function createClients({ pool, clock }: { readonly pool: Pool; readonly clock: Clock }): Clients {
  const remembered = createBoundedMemory<Client>(MAX_REMEMBERED);
  return {
    find: async (clientId) => {
      if (!isClientId(clientId)) return undefined;
      const { rows } = await pool.query<Client>(selectClient(clientId, clock.now()));
      const [client] = rows;
      if (client === undefined) remembered.delete(clientId);
      else remembered.set(clientId, client);
      return client;
    },
    recall: remembered.get,
  };
}
