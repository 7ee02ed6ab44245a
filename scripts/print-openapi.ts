/** Writes the OpenAPI document to the file that is named, without a database behind it; see redocly.yaml. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemClock } from '../src/lib/clock.ts';
import { describeApi } from '../src/rest/openapi.ts';
import { createRestRoutes } from '../src/rest/routes.ts';

const unused = (): never => {
  throw new Error('Nothing is called.');
};
const rest = createRestRoutes({
  tenancy: {
    read: unused,
    write: unused,
    connections: { totalCount: 0, idleCount: 0, waitingCount: 0 },
    close: unused,
  },
  authenticate: unused,
  authenticateSession: unused,
  publicUrl: 'http://localhost:4000',
  challenge: () => undefined,
  clock: systemClock,
  keys: [Buffer.alloc(32)],
  targetPolicy: { allowHttp: false, allow: [] },
  wakeLanes: unused,
});
const document = describeApi({ rest, publicUrl: 'https://connect.optio.example' });

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('Expected the path of a file to write to.');
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, JSON.stringify(document, null, 2));
