/** Prisma's part of a transaction, which it joins when one of its models is first asked for. */
import type { Prisma, PrismaClient } from '../../generated/prisma/client.ts';
import type { TenantPool } from './tenant-pool.ts';
import { cameTooLate, type Transaction } from './transaction.ts';

export type PrismaPart<Own> = {
  /** Stands for Prisma's transaction: the same models and methods, each of which begins it if need be; and `own`. */
  readonly tx: Prisma.TransactionClient & Own;
  /** Ends it. */
  readonly end: () => Promise<void>;
};

type Joined = { readonly tx: Promise<Prisma.TransactionClient>; readonly end: () => Promise<void> };
type Begin = (work: (tx: Prisma.TransactionClient) => Promise<void>) => Promise<void>;
type Method = (...args: readonly unknown[]) => unknown;

/** The part that `prisma`, whose adapter takes its connections from `pool`, has of `transaction`. */
export function prismaPart<Own extends object>(
  { prisma, pool }: { readonly prisma: PrismaClient; readonly pool: TenantPool },
  transaction: Transaction,
  own: Own,
): PrismaPart<Own> {
  let joined: Joined | undefined;
  let hasEnded = false;
  const { limitMs } = transaction;
  const begin: Begin = (work) =>
    pool.join(transaction, () => prisma.$transaction(work, { timeout: limitMs, maxWait: limitMs }));
  const join = () => {
    // Nobody would end it.
    if (joined === undefined && hasEnded) throw cameTooLate();
    return (joined ??= hold(begin)).tx;
  };
  const end = async (): Promise<void> => {
    hasEnded = true;
    await joined?.end();
  };
  return { tx: deferred(join, own), end };
}

/** Begins a transaction that lasts until it is ended. */
function hold(begin: Begin): Joined {
  const begun = Promise.withResolvers<Prisma.TransactionClient>();
  const released = Promise.withResolvers<void>();
  const ended = begin(async (tx) => {
    begun.resolve(tx);
    await released.promise;
  }).catch(begun.reject);
  return {
    tx: begun.promise,
    end: async () => {
      released.resolve();
      await ended;
    },
  };
}

/** `tx.model.method(…)` and `tx.$method(…)` of what is there later, beside what is there already. */
function deferred<Own extends object>(
  join: () => Promise<Prisma.TransactionClient>,
  own: Own,
): Prisma.TransactionClient & Own {
  const call =
    (...path: readonly string[]): Method =>
    async (...args) => {
      const tx = await join();
      const owner: object = path.length === 1 ? tx : Reflect.get(tx, path[0] ?? '');
      const method: Method = Reflect.get(owner, path.at(-1) ?? '');
      return method.apply(owner, [...args]);
    };
  const delegate = (model: string): object =>
    new Proxy({}, { get: (_target, method) => call(model, String(method)) });
  const client = new Proxy(own, {
    get: (target, name) => {
      if (name in target || typeof name === 'symbol' || name === 'then') return Reflect.get(target, name);
      return name.startsWith('$') ? call(name) : delegate(name);
    },
  });
  return client as Prisma.TransactionClient & Own; // All that it has besides are models with methods, and methods.
}
