/** A thread of its own for some followers: what they read must not hold up the trial, through which the servers reach the database. */
import { parentPort, workerData } from 'node:worker_threads';
import { follow } from './follower.ts';
import type { Assignment, FromThread, ToThread } from './follower-messages.ts';
import { seeded } from './random.ts';

const PROGRESS_MS = 200;

const assignment: Assignment = workerData;
const random = seeded(assignment.seed);
let { urls } = assignment;
const followers = assignment.followers.map(({ token, transport }) =>
  follow({ nextUrl: () => random.pick(urls), token, transport, pauseMs: () => random.between(10, 500) }),
);
const tell = (message: FromThread): void => parentPort?.postMessage(message, []);

const progress = setInterval(
  () => tell({ kind: 'progress', lines: followers.reduce((sum, { seen }) => sum + seen.length, 0) }),
  PROGRESS_MS,
);
parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'urls') ({ urls } = message);
  else if (message.kind === 'cut') followers[message.index]?.cutOff();
  else if (message.kind === 'dawdle') followers[message.index]?.dawdle(message.milliseconds);
  else end();
});
await Promise.all(followers.map(({ ready }) => ready));
tell({ kind: 'ready' });

function end(): void {
  clearInterval(progress);
  for (const follower of followers) follower.stop();
  const accounts = followers.map(({ seen, complaints, connections }) => ({
    seen,
    complaints,
    connections: connections(),
  }));
  tell({ kind: 'accounts', accounts });
  parentPort?.close();
}
