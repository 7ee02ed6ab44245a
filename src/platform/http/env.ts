/** What every request carries through the handlers. */
import type { Log } from '../log.ts';

/** What the server knows of the connection; never taken from the request. */
export type ConnectionBindings = {
  /** The other end of the socket; undefined when it has none, or is closed already. */
  readonly peerAddress?: string | undefined;
};

export type HttpVariables = {
  requestId: string;
  /** Where the request comes from, see client-address.ts. */
  clientAddress: string;
  /** The request's own log: its lines carry the request id. */
  log: Log;
  /** Set by whoever has found out on whose behalf the request is made; for the access log. */
  organizationId?: string;
  /** Where the request is traced: the id of its trace; for the log. */
  traceId?: string;
  /** Set where requests come all the time and say nothing new: their lines of the access log are for debugging. */
  isRoutine?: boolean;
};

export type HttpEnv = { Variables: HttpVariables; Bindings: ConnectionBindings };
