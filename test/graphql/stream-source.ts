/** A live stream of the tests' own: they push its items and see who listens. */
import type { Viewer } from '../../src/accounts/viewer.ts';
import { newId } from '../../src/lib/ids.ts';
import type { StreamItem, SubscribeToUpdates, UpdateRequest } from '../../src/webhooks/update.ts';

export type OpenStream = {
  readonly viewer: Viewer;
  readonly request: UpdateRequest;
  readonly push: (item: StreamItem) => void;
  readonly fail: (error: Error) => void;
  /** Resolves when the reader has left. */
  readonly left: Promise<void>;
};

export type StreamSource = {
  readonly subscribe: SubscribeToUpdates;
  /** The next stream that is opened. */
  readonly nextStream: () => Promise<OpenStream>;
};

export function createStreamSource(): StreamSource {
  const opened = createQueue<OpenStream>();
  return {
    nextStream: opened.take,
    subscribe: (viewer, request) => {
      const items = createQueue<StreamItem>();
      const left = Promise.withResolvers<void>();
      const ended = left.promise.then(() => undefined);
      const iterator: AsyncIterableIterator<StreamItem> = {
        next: async () => {
          const value = await Promise.race([items.take(), ended]);
          return value === undefined ? { done: true, value } : { done: false, value };
        },
        return: async () => {
          left.resolve();
          return { done: true, value: undefined };
        },
        [Symbol.asyncIterator]: () => iterator,
      };
      opened.put({ viewer, request, push: items.put, fail: items.fail, left: left.promise });
      return iterator;
    },
  };
}

/** An update, as the feature makes it. */
export function update(cursor: string, version = 1): StreamItem {
  return {
    kind: 'update',
    update: {
      cursor,
      organizationId: newId(),
      deliveryId: newId(),
      version,
      at: new Date('2026-11-23T09:30:00Z'),
      subscriptionId: newId(),
      eventType: 'badge.earned',
      status: 'SUCCEEDED',
      attemptNumber: 1,
      responseCode: 200,
      durationMs: 12.4,
      error: null,
    },
  };
}

function createQueue<T>() {
  const waiting: PromiseWithResolvers<T>[] = [];
  const ready: PromiseWithResolvers<T>[] = [];
  const slot = (): PromiseWithResolvers<T> => {
    const taken = waiting.shift();
    if (taken !== undefined) return taken;
    const made = Promise.withResolvers<T>();
    // Whoever takes it later is told of a failure; until then nobody has to.
    made.promise.catch(() => undefined);
    ready.push(made);
    return made;
  };
  return {
    put: (item: T): void => slot().resolve(item),
    fail: (error: Error): void => slot().reject(error),
    take: (): Promise<T> => {
      const made = ready.shift();
      if (made !== undefined) return made.promise;
      const wanted = Promise.withResolvers<T>();
      waiting.push(wanted);
      return wanted.promise;
    },
  };
}
