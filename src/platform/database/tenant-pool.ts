/**
 * A pool of connections that belong to one organization for the length of a transaction: what row-level security
 * asks for (organization, user, role) is set together with BEGIN, in one message that nothing waits for.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Pool, type PoolClient, type PoolConfig, type QueryConfig } from 'pg';
import { isUuid } from '../../lib/ids.ts';
import { assertCommitted } from './pool.ts';

/**
 * The roles that policies know. CLIENT is a machine client, which acts for its organization within its scopes; NONE is
 * somebody who is in no organization, whom no policy shows or lets change anything.
 */
export type TenantRole = 'ADMIN' | 'EDUCATOR' | 'STUDENT' | 'CLIENT' | 'NONE';

/** On whose behalf a transaction runs. */
export type TenantIdentity = {
  readonly organizationId: string;
  readonly userId: string | null;
  readonly role: TenantRole;
};

export type TenantTransaction = { readonly identity: TenantIdentity; readonly mode: 'read' | 'write' };

/** What one call of `run` is about; its connection, once it has one. */
type Run = { readonly transaction: TenantTransaction; client?: PoolClient };

const NOTHING = { command: '', rowCount: 0, oid: 0, fields: [], rows: [] };

/**
 * Hands out connections to transactions only, and only inside `run`. A connection asked for elsewhere is refused,
 * so that no query can run without an organization.
 */
export class TenantPool extends Pool {
  readonly #current = new AsyncLocalStorage<Run>();

  constructor(options: PoolConfig) {
    super({ ...options, pipeline: true });
  }

  /** Runs `work`; the transactions it begins belong to `transaction.identity`. */
  run<T>(transaction: TenantTransaction, work: () => Promise<T>): Promise<T> {
    return this.#current.run({ transaction }, work);
  }

  /** The connection of the transaction that is under way; throws when there is none. */
  connection(): PoolClient {
    const client = this.#current.getStore()?.client;
    if (client === undefined) throw new Error('No tenant transaction is under way.');
    return client;
  }

  // The overload with a callback serves Pool's own query(), which is refused below.
  override connect(): Promise<PoolClient>;
  override connect(callback: never): void;
  override async connect(): Promise<PoolClient> {
    // Read before the first await: behind it, an exhausted pool resumes in the context of whoever freed a connection.
    const run = this.#current.getStore();
    if (run === undefined) {
      throw new Error('A tenant connection was asked for outside of a tenant transaction.');
    }
    const begin = beginStatement(run.transaction);
    const client = await super.connect();
    run.client = bindTransaction(client, begin, run.transaction.mode);
    return run.client;
  }

  override query(): never {
    throw new Error('A tenant query was made outside of a transaction.');
  }
}

function beginStatement({ identity, mode }: TenantTransaction): string {
  for (const id of [identity.organizationId, identity.userId]) {
    if (id !== null && !isUuid(id)) throw new Error('A tenant identity holds an id that is not a UUID.');
  }
  return [
    mode === 'read' ? 'BEGIN READ ONLY' : 'BEGIN',
    `SET LOCAL app.organization_id = '${identity.organizationId}'`,
    `SET LOCAL app.user_id = '${identity.userId ?? ''}'`,
    `SET LOCAL app.role = '${identity.role}'`,
  ].join(';');
}

/** Turns the BEGIN that Prisma sends into ours, and does not wait for it, nor for the COMMIT of what only read. */
function bindTransaction(client: PoolClient, begin: string, mode: 'read' | 'write'): PoolClient {
  let failure: Error | undefined;
  const sendAhead = (sql: string): typeof NOTHING => {
    client.query(sql).catch((error: Error) => {
      failure = error;
    });
    return NOTHING;
  };
  const query = async (config: QueryConfig): Promise<unknown> => {
    if (config.text === 'BEGIN') return sendAhead(begin);
    if (config.text === 'COMMIT' && mode === 'read' && failure === undefined) return sendAhead('COMMIT');
    const result = await client.query(config);
    if (failure !== undefined) throw failure;
    if (config.text === 'COMMIT') assertCommitted(result);
    return result;
  };
  const release = (error?: Error | boolean): void => client.release(error ?? failure);
  return new Proxy(client, {
    get(target, property) {
      if (property === 'query') return query;
      if (property === 'release') return release;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
