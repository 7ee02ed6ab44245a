/** The HTTP shell around every route: request ids, client addresses, access log, security headers, body limit, errors as problems. */
import { Hono } from 'hono';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Cidr } from '../ip-range.ts';
import type { Log } from '../log.ts';
import type { Trace } from '../tracing/trace.ts';
import { bodyLimit } from './body-limit.ts';
import type { HttpEnv } from './env.ts';
import { measureRequests, type ObserveRequest } from './metrics.ts';
import { notFound } from './not-found.ts';
import { problemResponse } from './problem.ts';
import { requestLog } from './request-log.ts';
import { traceRequests } from './request-trace.ts';
import { securityHeaders } from './security-headers.ts';

export type HttpShellOptions = {
  readonly log: Log;
  readonly clock: Clock;
  /** Whether people reach the server by https (PUBLIC_URL says so). */
  readonly https: boolean;
  /** The proxies whose X-Forwarded-For counts; none, if left out. */
  readonly trustedProxies?: readonly Cidr[];
  /** 1 MiB, if left out. */
  readonly maxBodyBytes?: number;
  /** Told how each request went. */
  readonly observeRequest?: ObserveRequest;
  readonly trace?: Trace | undefined;
};

/** The app that the doors' routes are mounted on (`shell.route('/', routes)`). */
export function createHttpShell(options: HttpShellOptions): Hono<HttpEnv> {
  const { log, clock, https, trustedProxies = [], maxBodyBytes, observeRequest, trace } = options;
  const app = new Hono<HttpEnv>();
  if (observeRequest !== undefined) app.use(measureRequests(observeRequest));
  if (trace !== undefined) app.use(traceRequests(trace));
  app.use(requestLog({ log, clock, trustedProxies }), securityHeaders({ https }), bodyLimit(maxBodyBytes));
  app.notFound(notFound(app));
  app.onError((error, c) => {
    const response = problemResponse(error, c.get('requestId'));
    // Who went away in the middle of a body reads no answer, and nothing is wrong with us.
    if (c.req.raw.signal.aborted) c.get('log').debug({ error }, 'a request was broken off');
    else logFailure(c.get('log'), error, response.status);
    return response;
  });
  return app;
}

/** What the caller did wrong is in its answer; what went wrong with us is in the log, with its cause. */
function logFailure(log: Log, error: Error, status: number): void {
  if (error instanceof AppError && status === 503)
    log.warn({ error }, 'a request found something unavailable');
  else if (status >= 500) log.error({ error }, 'a request failed');
}
