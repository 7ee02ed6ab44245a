/** The way of a tenant's request to the database: Prisma transactions under row-level security. */
import { setTimeout as wait } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Prisma } from '../../generated/prisma/client.ts';
import { PrismaClient } from '../../generated/prisma/client.ts';
import { AppError } from '../../lib/errors.ts';
import { isTransactionConflict } from './conflict.ts';
import { type DirectRows, directRows } from './direct-rows.ts';
import { givingUpAfter, reportIdleErrors } from './pool.ts';
import { type PrismaPart, prismaPart } from './prisma-part.ts';
import { createStatementNames } from './statement-names.ts';
import { type TenantIdentity, TenantPool } from './tenant-pool.ts';
import type { Transaction, TransactionMode } from './transaction.ts';
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
  /** When a transaction is given up, in milliseconds; 15 s, if left out. A longer one holds back the live stream. */
  readonly limitMs?: number | undefined;
};

const MAX_REPEATS = 3;
const REPEAT_WITHIN_MS = 25;
const DEFAULT_LIMIT_MS = 15_000;

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
  const { limitMs = DEFAULT_LIMIT_MS } = options;
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });

  const transact = async <T>(
    identity: TenantIdentity,
    mode: TransactionMode,
    work: (tx: Tx) => Promise<T>,
  ): Promise<T> => {
    try {
      const transaction = await pool.begin({ identity, mode, limitMs });
      const part = prismaPart({ prisma, pool }, transaction, { rows: directRows(transaction, nameOf) });
      return await runToEnd(transaction, part, work);
    } catch (error) {
      throw translateDatabaseError(error);
    }
  };

  return {
    read: (identity, work) => transact(identity, 'read', work),
    write: (identity, work) =>
      againOnConflict(async () => {
        const acts: (() => void)[] = [];
        const unit = (tx: Tx): Unit => ({ tx, afterCommit: (act) => void acts.push(act) });
        const result = await transact(identity, 'write', (tx) => work(unit(tx)));
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

/** Commits when the work is done, and rolls everything back when it throws. */
async function runToEnd<T>(
  transaction: Transaction,
  part: PrismaPart<{ readonly rows: DirectRows }>,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  try {
    const result = await work(part.tx);
    await part.end();
    await transaction.commit();
    return result;
  } catch (error) {
    await part.end();
    await transaction.abandon(error);
    throw error;
  }
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
