/** What every request carries through the handlers. */
import type { Log } from '../log.ts';

export type HttpVariables = {
  requestId: string;
  /** The request's own log: its lines carry the request id. */
  log: Log;
  /** Set by whoever has found out on whose behalf the request is made; for the access log. */
  organizationId?: string;
};

export type HttpEnv = { Variables: HttpVariables };
