/** Followers in a thread of their own, from the side of the trial. */
import { Worker } from 'node:worker_threads';
import type { Account, Assignment, FromThread, ToThread } from './follower-messages.ts';

export type FollowerGroup = {
  readonly size: number;
  /** Resolves when all of them are live for the first time. */
  readonly ready: Promise<void>;
  /** Lines that they saw so far, all together. */
  readonly lines: () => number;
  readonly setUrls: (urls: readonly string[]) => void;
  readonly cutOff: (index: number) => void;
  readonly dawdle: (index: number, milliseconds: number) => void;
  /** Ends them; answers what each of them saw. */
  readonly end: () => Promise<readonly Account[]>;
  /** Ends the thread, whatever it does. */
  readonly stop: () => Promise<unknown>;
};

const THREAD = new URL('follower-thread.ts', import.meta.url);

/** Starts a thread with these followers. */
export function startFollowers(assignment: Assignment): FollowerGroup {
  const thread = new Worker(THREAD, { workerData: assignment });
  const [ready, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<readonly Account[]>()];
  let lines = 0;
  thread.on('message', (message: FromThread) => {
    if (message.kind === 'ready') ready.resolve();
    else if (message.kind === 'progress') ({ lines } = message);
    else ended.resolve(message.accounts);
  });
  thread.on('error', (error) => {
    ready.reject(error);
    ended.reject(error);
  });
  const tell = (message: ToThread): void => thread.postMessage(message, []);
  return {
    size: assignment.followers.length,
    ready: ready.promise,
    lines: () => lines,
    setUrls: (urls) => tell({ kind: 'urls', urls }),
    cutOff: (index) => tell({ kind: 'cut', index }),
    dawdle: (index, milliseconds) => tell({ kind: 'dawdle', index, milliseconds }),
    end: () => {
      tell({ kind: 'end' });
      return ended.promise;
    },
    stop: () => thread.terminate(),
  };
}
