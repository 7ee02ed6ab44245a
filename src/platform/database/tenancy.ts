/** The way of a tenant's request to the database: Prisma transactions under row-level security. */
import { setTimeout as wait } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Prisma } from '../../generated/prisma/client.ts';
import { PrismaClient } from '../../generated/prisma/client.ts';
import { AppError } from '../../lib/errors.ts';
import { isTransactionConflict } from './conflict.ts';
import { type DirectRows, withDirectRows } from './direct-rows.ts';
import { givingUpAfter, reportIdleErrors } from './pool.ts';
import { createStatementNames } from './statement-names.ts';
import { type TenantIdentity, TenantPool } from './tenant-pool.ts';
import { translateDatabaseError } from './unavailable.ts';

/** A transaction of one organization: Prisma's, and `rows` for SQL by hand. */
export type Tx = Prisma.TransactionClient & { readonly rows: DirectRows };

/** A transaction that writes. What is given to `afterCommit` runs once it is committed, and never if it is not. */
export type Unit = { readonly tx: Tx; readonly afterCommit: (act: () => void) => void };

export type Tenancy = {
  /** Runs `work` in a read-only transaction on behalf of `identity`. */
  readonly read: <T>(identity: TenantIdentity, work: (tx: Tx) => Promise<T>) => Promise<T>;
  /**
   * Runs `work` in a transaction on behalf of `identity`; a throw rolls everything back. When PostgreSQL ends it for the
   * sake of another one (deadlock, serialization), all of it is run again, three times at most: what `work` does
   * elsewhere than in the database belongs into `afterCommit`. Throws UNAVAILABLE when that does not help either.
   */
  readonly write: <T>(identity: TenantIdentity, work: (unit: Unit) => Promise<T>) => Promise<T>;
  /** How many connections there are, how many of them are idle, and how many requests wait for one. */
  readonly connections: Readonly<Pick<TenantPool, 'totalCount' | 'idleCount' | 'waitingCount'>>;
  readonly close: () => Promise<void>;
};

export type TenancyOptions = {
  readonly url: string;
  readonly maxConnections: number;
  readonly onIdleError: (error: Error) => void;
  /** As for `createPool`. */
  readonly queryTimeoutMs?: number | undefined;
};

const MAX_REPEATS = 3;
const REPEAT_WITHIN_MS = 25;
// A transaction that takes longer holds back the live stream; the message then says which limit it passed.
const TRANSACTION_LIMITS = { maxWait: 5_000, timeout: 15_000 };

/** Opens the tenant pool. `url` logs in as a member of the role optio_tenant. */
export function createTenancy(options: TenancyOptions): Tenancy {
  const pool = new TenantPool({
    connectionString: options.url,
    max: options.maxConnections,
    idleTimeoutMillis: 60_000,
    ...givingUpAfter(options.queryTimeoutMs),
  });
  reportIdleErrors(pool, options.onIdleError);
  const nameOf = createStatementNames('rows');
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool), transactionOptions: TRANSACTION_LIMITS });

  const transact = <T>(identity: TenantIdentity, mode: 'read' | 'write', work: (tx: Tx) => Promise<T>) =>
    pool.run({ identity, mode }, async () => {
      try {
        return await prisma.$transaction((tx) => work(withDirectRows(tx, pool.connection(), nameOf)));
      } catch (error) {
        throw translateDatabaseError(error);
      }
    });

  return {
    read: (identity, work) => transact(identity, 'read', work),
    write: (identity, work) =>
      againOnConflict(async () => {
        const acts: (() => void)[] = [];
        const result = await transact(identity, 'write', (tx) =>
          work({ tx, afterCommit: (act) => void acts.push(act) }),
        );
        return { result, acts };
      }).then(({ result, acts }) => {
        for (const act of acts) act();
        return result;
      }),
    connections: pool,
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Tries up to four times; each wait is a random one, so that two that met do not meet again. */
async function againOnConflict<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isTransactionConflict(error)) throw error;
      if (tries > MAX_REPEATS) throw tooMuchContention(error);
      await wait(Math.random() * REPEAT_WITHIN_MS * tries);
    }
  }
}

function tooMuchContention(cause: unknown): AppError {
  return new AppError('UNAVAILABLE', 'Too much was changed at the same time; try again shortly.', {
    cause,
    retryAfterSeconds: 1,
  });
}
