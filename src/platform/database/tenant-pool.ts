/**
 * A pool of connections that belong to one organization for the length of a transaction: what row-level security
 * asks for (organization, user, role) is set together with BEGIN, in one message that nothing waits for.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Pool, type PoolClient, type PoolConfig, type QueryConfig } from 'pg';
import { isUuid } from '../../lib/ids.ts';
import { openTransaction, type Transaction, type TransactionMode } from './transaction.ts';

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

export type TenantTransaction = {
  readonly identity: TenantIdentity;
  readonly mode: TransactionMode;
  /** When it is given up, in milliseconds. */
  readonly limitMs: number;
};

const NOTHING = { command: '', rowCount: 0, oid: 0, fields: [], rows: [] };
const OF_A_TRANSACTION: ReadonlySet<unknown> = new Set(['BEGIN', 'COMMIT', 'ROLLBACK']);

/**
 * Its connections belong to transactions: what asks for one elsewhere is refused, so that no query can run without an
 * organization.
 */
export class TenantPool extends Pool {
  readonly #joined = new AsyncLocalStorage<Transaction>();

  constructor(options: PoolConfig) {
    super({ ...options, pipeline: true });
  }

  /** Begins a transaction. */
  async begin({ identity, mode, limitMs }: TenantTransaction): Promise<Transaction> {
    const begin = beginStatement(identity, mode);
    return openTransaction(await super.connect(), { begin, mode, limitMs });
  }

  /** Runs `work`; what asks for a connection meanwhile is given that of the transaction, which it can neither begin nor end. */
  join<T>(transaction: Transaction, work: () => Promise<T>): Promise<T> {
    return this.#joined.run(transaction, work);
  }

  // The overload with a callback serves Pool's own query(), which is refused below.
  override connect(): Promise<PoolClient>;
  override connect(callback: never): void;
  override async connect(): Promise<PoolClient> {
    const transaction = this.#joined.getStore();
    if (transaction === undefined) {
      throw new Error('A tenant connection was asked for outside of a tenant transaction.');
    }
    return joinedClient(transaction);
  }

  override query(): never {
    throw new Error('A tenant query was made outside of a transaction.');
  }
}

function beginStatement({ organizationId, userId, role }: TenantIdentity, mode: TransactionMode): string {
  for (const id of [organizationId, userId]) {
    if (id !== null && !isUuid(id)) throw new Error('A tenant identity holds an id that is not a UUID.');
  }
  return [
    mode === 'read' ? 'BEGIN READ ONLY' : 'BEGIN',
    `SET LOCAL app.organization_id = '${organizationId}'`,
    `SET LOCAL app.user_id = '${userId ?? ''}'`,
    `SET LOCAL app.role = '${role}'`,
  ].join(';');
}

/** The connection of a transaction for somebody who thinks it begins and ends there. */
function joinedClient(transaction: Transaction): PoolClient {
  const query = async (config: QueryConfig): Promise<unknown> =>
    OF_A_TRANSACTION.has(config.text) ? NOTHING : transaction.query(config);
  const release = (): void => undefined;
  return new Proxy(transaction.client, {
    get(target, property) {
      if (property === 'query') return query;
      if (property === 'release') return release;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
