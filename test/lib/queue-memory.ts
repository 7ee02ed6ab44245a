/** Run with --expose-gc: prints what a queue that much passes through keeps, in bytes, while only the young are collected. */
import { runInThisContext } from 'node:vm';
import { createQueue } from '../../src/lib/queue.ts';

const collect: (options?: { readonly type: 'minor' }) => void = runInThisContext('gc');
const queue = createQueue<readonly number[]>();

function pass(count: number): void {
  for (let index = 0; index < count; index += 1) {
    queue.push(Array.from({ length: 1_000 }, () => index));
    if (queue.size() > 50) queue.shift();
    if (index % 100 === 0) collect({ type: 'minor' });
  }
  collect({ type: 'minor' });
}

collect();
pass(1_000);
const before = process.memoryUsage().heapUsed;
pass(3_000);
process.stdout.write(String(process.memoryUsage().heapUsed - before));
