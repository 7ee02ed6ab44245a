/** One read-only transaction for all reads of an operation, begun by the first of them. */
import type { RequestContext } from '../accounts/viewer.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';

export type SharedRead = {
  readonly read: RequestContext['read'];
  /** Ends the transaction; the next read begins another one. */
  readonly release: () => Promise<void>;
  /** Ends the transaction for good; a read that comes later is refused. */
  readonly close: () => Promise<void>;
};

type OpenTransaction = {
  readonly tx: Promise<Tx>;
  readonly release: () => void;
  readonly ended: Promise<void>;
};

/** `open` runs its work in a read-only transaction that ends with it. */
export function shareRead(open: RequestContext['read']): SharedRead {
  let current: OpenTransaction | undefined;
  let isClosed = false;

  const release = async (): Promise<void> => {
    const transaction = current;
    current = undefined;
    transaction?.release();
    await transaction?.ended;
  };

  return {
    read: async (work) => {
      if (isClosed) throw new Error('A read came after the end of its operation.');
      current ??= begin(open);
      try {
        return await work(await current.tx);
      } catch (error) {
        throw translateDatabaseError(error);
      }
    },
    release,
    close: async () => {
      isClosed = true;
      await release();
    },
  };
}

function begin(open: RequestContext['read']): OpenTransaction {
  const begun = Promise.withResolvers<Tx>();
  const released = Promise.withResolvers<void>();
  const ended = open(async (tx) => {
    begun.resolve(tx);
    await released.promise;
  });
  return {
    tx: begun.promise,
    release: released.resolve,
    // What fails at the beginning is told to those who wait; at the end of mere reading nothing is lost any more.
    ended: ended.catch(begun.reject),
  };
}
