/** The limit of live streams that one viewer has open at a time. */
import type { Viewer } from '../../accounts/viewer.ts';
import { AppError } from '../../lib/errors.ts';

/** Who a limit counts for: a client, a person, or a client acting for a person, in its organization. */
export function viewerKey({ organizationId, clientId, userId }: Viewer): string {
  return `${organizationId} ${clientId ?? ''} ${userId ?? ''}`;
}

type Subscribe<R, T> = (viewer: Viewer, request: R) => AsyncIterableIterator<T>;

/**
 * Limits what opens streams, all that is given to it together: no more than `maxStreams` at a time for a viewer; throws
 * `RATE_LIMITED` for the next one.
 */
export function limitStreams(maxStreams: number): <R, T>(subscribe: Subscribe<R, T>) => Subscribe<R, T> {
  const open = new Map<string, number>();
  return (subscribe) => (viewer, request) => {
    const key = viewerKey(viewer);
    const count = open.get(key) ?? 0;
    if (count >= maxStreams) {
      throw new AppError(
        'RATE_LIMITED',
        `At most ${maxStreams} streams are open at a time; close one first.`,
        {
          retryAfterSeconds: 10,
        },
      );
    }
    const items = subscribe(viewer, request);
    open.set(key, count + 1);
    return onceEnded(items, () => {
      const left = (open.get(key) ?? 1) - 1;
      if (left > 0) open.set(key, left);
      else open.delete(key);
    });
  };
}

/** The same iterator; `act` is called once, when it has returned, ended or failed. */
function onceEnded<T>(items: AsyncIterableIterator<T>, act: () => void): AsyncIterableIterator<T> {
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) act();
    hasEnded = true;
  };
  const iterator: AsyncIterableIterator<T> = {
    next: async () => {
      try {
        const result = await items.next();
        if (result.done === true) end();
        return result;
      } catch (error) {
        end();
        throw error;
      }
    },
    return: async () => {
      end();
      return (await items.return?.()) ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
