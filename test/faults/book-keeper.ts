/** A receiver that keeps a ledger: every request with the time it came, the time it was answered, and how. */
import { type ReceivedRequest, type Receiver, startReceiver } from '../support/receiver.ts';
import type { Seen } from './reckoning.ts';

/** What becomes of a request: after so many milliseconds a status, or the connection is broken; `never`: no answer. */
export type Reply = { readonly afterMs?: number; readonly status: number | 'broken' } | 'never';

export type Entry = Seen & { readonly path: string };

export type BookKeeper = Pick<Receiver, 'close'> & {
  /** The URL of a path. */
  readonly urlOf: (path: string) => string;
  readonly entries: () => readonly Entry[];
  readonly entriesOf: (path: string) => readonly Entry[];
  /** Resolves when `count` requests of the path have come. */
  readonly received: (path: string, count: number) => Promise<void>;
  /** Answers what waits on a path without an answer, and what comes there from now on, with 200. */
  readonly release: (path: string) => void;
};

type OpenEntry = { -readonly [Name in keyof Entry]: Entry[Name] };
type Waiting = { readonly path: string; readonly answer: () => void };

/** Starts it; `replyTo` is asked for each request. */
export async function openBooks(replyTo: (request: ReceivedRequest) => Reply): Promise<BookKeeper> {
  const receiver = await startReceiver();
  const entries: OpenEntry[] = [];
  const listeners = new Set<() => void>();
  const released = new Set<string>();
  let waiting: Waiting[] = [];
  receiver.answer = (request, response) => {
    const entry = begin(request);
    entries.push(entry);
    const give = (status: number | 'broken'): void => {
      Object.assign(entry, {
        status: status === 'broken' ? undefined : status,
        answeredAt: performance.now(),
      });
      if (status === 'broken') response.destroy();
      else response.writeHead(status).end('ok');
    };
    const reply = released.has(entry.path) ? { status: 200 } : replyTo(request);
    if (reply === 'never') waiting.push({ path: entry.path, answer: () => give(200) });
    else setTimeout(() => give(reply.status), reply.afterMs ?? 0);
    for (const listener of listeners) listener();
  };
  const entriesOf = (path: string) => entries.filter((entry) => entry.path === path);
  return {
    urlOf: (path) => new URL(path, receiver.url).href,
    entries: () => entries,
    entriesOf,
    received: (path, count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (entriesOf(path).length < count) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      }),
    release: (path) => {
      released.add(path);
      for (const one of waiting.filter((some) => some.path === path)) one.answer();
      waiting = waiting.filter((some) => some.path !== path);
    },
    close: receiver.close,
  };
}

function begin({ path, headers }: ReceivedRequest): OpenEntry {
  const deliveryId = String(headers['x-optio-delivery']);
  return { path, deliveryId, at: performance.now(), answeredAt: undefined, status: undefined };
}
