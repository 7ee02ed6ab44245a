/** A span for every request but probes, in the caller's trace if there is one. */
import type { MiddlewareHandler } from 'hono';
import type { Trace } from '../tracing/trace.ts';
import type { HttpEnv } from './env.ts';
import { QUIET_PATHS } from './request-log.ts';
import { methodOf, routeOf } from './route.ts';

/** The names are those of OpenTelemetry's conventions for HTTP; neither path nor query, which may hold secrets. */
export function traceRequests(trace: Trace): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    if (QUIET_PATHS.has(c.req.path)) return next();
    const method = methodOf(c);
    const options = {
      kind: 'server',
      parent: c.req.raw.headers,
      attributes: { 'http.request.method': method },
    } as const;
    await trace(method, options, async (span) => {
      c.set('traceId', span.traceId);
      await next();
      const { status } = c.res;
      const route = routeOf(c);
      span.rename(`${method} ${route}`);
      span.set({
        'http.route': route,
        'http.response.status_code': status,
        'optio.request_id': c.get('requestId'),
      });
      if (status >= 500) span.fail(String(status));
    });
    return undefined;
  };
}
