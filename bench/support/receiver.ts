/** The receiver process, from the side of the benchmark. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Expectation, type FromReceiver, fromReceiver, type Report } from './receiver-messages.ts';

export type BenchReceiver = {
  readonly pid: number;
  readonly origin: string;
  /** Counts from zero; resolves when as many different requests have come. */
  readonly expect: (expected: Expectation) => Promise<Report>;
  readonly stop: () => Promise<void>;
};

const PATIENCE_MS = 120_000;
const PROGRAM = fileURLToPath(new URL('receiver-process.ts', import.meta.url));

/** Starts it on a free port of the loopback interface. */
export async function startReceiverProcess(): Promise<BenchReceiver> {
  const child = fork(PROGRAM);
  const listening = await hear(child, 'listening');
  return {
    pid: child.pid ?? 0,
    origin: `http://127.0.0.1:${listening.port}`,
    expect: async (expected) => {
      const complete = hear(child, 'complete');
      child.send(expected);
      return (await complete).report;
    },
    stop: async () => {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

function hear<Kind extends FromReceiver['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<FromReceiver, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The receiver is not ${kind} in time.`)), PATIENCE_MS);
    child.once('message', (message) => {
      clearTimeout(timer);
      const heard = fromReceiver.parse(message);
      if (heard.kind === kind)
        resolve(heard as Extract<FromReceiver, { kind: Kind }>); // Its kind says so.
      else reject(new Error(`The receiver said ${heard.kind}, expected ${kind}.`));
    });
  });
}
