/** How long a start takes on a folder that has been used before, embedded PostgreSQL included. */
import { createDataDirectory, runServer } from '../test/support/server.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { monotonicMs } from './support/receiver-messages.ts';
import { median, round } from './support/statistics.ts';

const ROUNDS = 5;
const GOAL_MS = 3_000;

export async function run(report: (line: string) => void): Promise<Outcome> {
  const data = await createDataDirectory();
  try {
    const first = await startOnce(data.path);
    report(`the first start, on an empty folder: ${first} ms`);
    const times: number[] = [];
    for (let number = 1; number <= ROUNDS; number += 1) {
      times.push(await startOnce(data.path));
      report(`start ${number} of ${ROUNDS}: ${times.at(-1)} ms`);
    }
    return toOutcome(first, times);
  } finally {
    await data.remove();
  }
}

/** Milliseconds from the call of the program to the line that says it is ready; it is then stopped in good order. */
async function startOnce(path: string): Promise<number> {
  const start = monotonicMs();
  const server = runServer({ DATA_DIR: path, PORT: '0', DEMO: '0' });
  const ready = await server.said(/\bready role=\w+/);
  const ms = round(monotonicMs() - start);
  const { code } = await server.kill('SIGTERM');
  verifyWork('whether it said that it is ready', ready !== undefined, true);
  verifyWork('its exit code', code, 0);
  return ms;
}

function toOutcome(first: number, times: readonly number[]): Outcome {
  const again = median(times);
  return {
    what: `From the call of the program to the line that says it is ready; ${ROUNDS} times, median.`,
    table: {
      columns: ['', 'ms'],
      rows: [
        ['on an empty folder, once', first],
        ['on an existing one', again],
      ],
    },
    goals: [{ goal: `ready in ${GOAL_MS} ms on an existing folder: ${again}`, isMet: again < GOAL_MS }],
    measurements: { first, times },
  };
}
