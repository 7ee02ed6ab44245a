/** The way of a tenant's request to the database: Prisma transactions under row-level security. */
import { PrismaPg } from '@prisma/adapter-pg';
import type { Prisma } from '../../generated/prisma/client.ts';
import { PrismaClient } from '../../generated/prisma/client.ts';
import { type TenantIdentity, TenantPool } from './tenant-pool.ts';
import { translateDatabaseError } from './unavailable.ts';

/** A transaction of one organization. */
export type Tx = Prisma.TransactionClient;

/** A transaction that writes. What is given to `afterCommit` runs once it is committed, and never if it is not. */
export type Unit = { readonly tx: Tx; readonly afterCommit: (act: () => void) => void };

export type Tenancy = {
  /** Runs `work` in a read-only transaction on behalf of `identity`. */
  readonly read: <T>(identity: TenantIdentity, work: (tx: Tx) => Promise<T>) => Promise<T>;
  /** Runs `work` in a transaction on behalf of `identity`; a throw rolls everything back. */
  readonly write: <T>(identity: TenantIdentity, work: (unit: Unit) => Promise<T>) => Promise<T>;
  /** How many connections there are, how many of them are idle, and how many requests wait for one. */
  readonly connections: Readonly<Pick<TenantPool, 'totalCount' | 'idleCount' | 'waitingCount'>>;
  readonly close: () => Promise<void>;
};

export type TenancyOptions = {
  readonly url: string;
  readonly maxConnections: number;
  readonly onIdleError: (error: Error) => void;
};

// A transaction that takes longer holds back the live stream; the message then says which limit it passed.
const TRANSACTION_LIMITS = { maxWait: 5_000, timeout: 15_000 };

/** Opens the tenant pool. `url` logs in as a member of the role optio_tenant. */
export function createTenancy(options: TenancyOptions): Tenancy {
  const pool = new TenantPool({
    connectionString: options.url,
    max: options.maxConnections,
    connectionTimeoutMillis: 4_000,
    idleTimeoutMillis: 60_000,
  });
  pool.on('error', options.onIdleError);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions: TRANSACTION_LIMITS });

  const transact = <T>(identity: TenantIdentity, mode: 'read' | 'write', work: (tx: Tx) => Promise<T>) =>
    pool.run({ identity, mode }, async () => {
      try {
        return await prisma.$transaction(work);
      } catch (error) {
        throw translateDatabaseError(error);
      }
    });

  return {
    read: (identity, work) => transact(identity, 'read', work),
    write: async (identity, work) => {
      const acts: (() => void)[] = [];
      const result = await transact(identity, 'write', (tx) =>
        work({ tx, afterCommit: (act) => void acts.push(act) }),
      );
      for (const act of acts) act();
      return result;
    },
    connections: pool,
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}
