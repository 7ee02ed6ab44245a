/** A peer in a process of its own, as the product is; it says its port when it listens. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export type Peer = { readonly pid: number; readonly origin: string; readonly stop: () => Promise<void> };

const listening = z.object({ port: z.int() });

/** Starts bench/peers/<name>-process.ts with these settings. */
export async function startPeer(
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const program = fileURLToPath(new URL(`../peers/${name}-process.ts`, import.meta.url));
  const child = fork(program, {
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...environment },
    silent: true,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
  const ended = once(child, 'exit');
  const [message] = await Promise.race([
    once(child, 'message'),
    ended.then(() => Promise.reject(new Error(`The peer ${name} ended before it listened:\n${said}`))),
  ]);
  return {
    pid: child.pid ?? 0,
    origin: `http://127.0.0.1:${listening.parse(message).port}`,
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
}
