/** What the management of clients needs beside the viewer, and who may do it. app.ts makes it once. */
import type { RequestContext } from '../accounts/viewer.ts';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';

export type ClientDependencies = {
  readonly clock: Clock;
  /** Seal what is answered once more to an idempotency key. */
  readonly keys: MasterKeys;
};
export type ClientContext = RequestContext & ClientDependencies;

/** By admins who are signed in, and by no token. */
export const MAY_MANAGE_CLIENTS = { scope: null, roles: ['ADMIN'] } as const;
