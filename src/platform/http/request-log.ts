/** Every request gets an id and the address it comes from; every answer a line of the access log: no headers, bodies or queries. */
import type { Context, MiddlewareHandler } from 'hono';
import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { Cidr } from '../ip-range.ts';
import type { Log } from '../log.ts';
import { findClientAddress } from './client-address.ts';
import type { ConnectionBindings, HttpEnv } from './env.ts';

/** What load balancers make: short, and nothing in it that a log or a terminal could trip over. */
const SANE_ID = /^[A-Za-z0-9][A-Za-z0-9._:=+/-]{0,127}$/;
/** Probed every few seconds; their lines would bury the others. */
export const QUIET_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

export type RequestLogOptions = {
  readonly log: Log;
  readonly clock: Clock;
  /** The proxies whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly Cidr[];
};

/** Takes over a sane X-Request-Id or makes one, answers it, and logs the request when its answer is ready. */
export function requestLog({ log, clock, trustedProxies }: RequestLogOptions): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startedAt = clock.now().getTime();
    const requestId = saneId(c.req.header('x-request-id')) ?? newId();
    c.set('requestId', requestId);
    c.set('clientAddress', addressOf(c, trustedProxies));
    const traceId = c.get('traceId');
    c.set(
      'log',
      log.child({ request_id: requestId, ...(traceId === undefined ? {} : { trace_id: traceId }) }),
    );
    await next();
    c.res.headers.set('X-Request-Id', requestId);
    const organizationId = c.get('organizationId');
    const isQuiet = QUIET_PATHS.has(c.req.path) || c.get('isRoutine') === true;
    c.get('log')[isQuiet ? 'debug' : 'info'](
      {
        method: c.req.method,
        path: c.req.path,
        status: c.res.status,
        client_address: c.get('clientAddress'),
        duration_ms: clock.now().getTime() - startedAt,
        ...(organizationId === undefined ? {} : { organization_id: organizationId }),
      },
      'request',
    );
  };
}

function addressOf(c: Context<HttpEnv>, trustedProxies: readonly Cidr[]): string {
  // A request that came by no server has no bindings at all.
  const { peerAddress } = (c.env as ConnectionBindings | undefined) ?? {};
  return findClientAddress(trustedProxies, { peerAddress, forwardedFor: c.req.header('x-forwarded-for') });
}

function saneId(id: string | undefined): string | undefined {
  return id !== undefined && SANE_ID.test(id) ? id : undefined;
}
