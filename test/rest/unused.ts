/** What the REST routes are made of, where only their definitions are looked at. */
import { systemClock } from '../../src/lib/clock.ts';
import type { RestDependencies } from '../../src/rest/env.ts';

const unused = (): never => {
  throw new Error('Nothing is called.');
};

export const REST_DEPENDENCIES: RestDependencies = {
  tenancy: {
    read: unused,
    write: unused,
    connections: { totalCount: 0, idleCount: 0, waitingCount: 0 },
    close: unused,
  },
  authenticate: unused,
  authenticateSession: unused,
  publicUrl: 'https://connect.optio.example',
  challenge: () => undefined,
  clock: systemClock,
  keys: [Buffer.alloc(32)],
  targetPolicy: { allowHttp: false, allow: [] },
  wakeLanes: unused,
};
