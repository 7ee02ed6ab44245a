/**
 * The live stream under load: `npm run faults:live -- --subscribers 200 --rate 500 --seconds 60 --seed 1`. Ends with 1 when a
 * subscriber missed a line of the update log, or saw one twice or in another order.
 */
import { parseArgs } from 'node:util';
import { formatTable } from '../../bench/support/table.ts';
import { runLiveTrial } from './live-trial.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    subscribers: { type: 'string', default: '200' },
    rate: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const result = await runLiveTrial({
  seed: Number(values.seed),
  subscribers: Number(values.subscribers),
  changesPerSecond: Number(values.rate),
  seconds: Number(values.seconds),
  cutOffEverySeconds: 10,
  restarts: true,
  report: (line) => say(`  … ${line}`),
});
const { changes, changesPerSecond, connections, missed, repeated, disordered, complaints } = result;
say(
  formatTable({
    columns: ['', ''],
    rows: [
      ['subscribers, half of them by WebSocket, half by SSE', values.subscribers],
      ['status changes', changes],
      ['a second, until the last delivery', changesPerSecond],
      ['connections', connections],
      ['lines missed', missed],
      ['lines seen twice', repeated],
      ['lines out of order', disordered],
      ['errors and gaps', complaints.length],
      ['seconds until the last one had seen all', result.caughtUpSeconds],
    ],
  }),
);
for (const complaint of complaints.slice(0, 5)) say(complaint);
process.exitCode = missed + repeated + disordered + complaints.length > 0 ? 1 : 0;
