/** GET /metrics for Prometheus, and how requests are measured for it. */
import { Hono, type MiddlewareHandler } from 'hono';
import { AppError } from '../../lib/errors.ts';
import { mayReadMetrics } from '../metrics/access.ts';
import type { HttpEnv } from './env.ts';
import { methodOf, routeOf } from './route.ts';

export type MetricsRouteDeps = {
  readonly print: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Opens the metrics to those who are not on this machine; undefined: to nobody. */
  readonly token: string | undefined;
};

/** How one request went. All of them come from small sets, whatever is sent. */
export type RequestObservation = {
  readonly method: string;
  /** The pattern of the route, as `/api/webhooks/deliveries/:id`; `none` where no route is. */
  readonly route: string;
  /** `2xx` and the like. */
  readonly status: string;
  /** Until the answer begins: a stream counts when it is opened. */
  readonly seconds: number;
};

/** GET /metrics, for those who may read them. Errors: `UNAUTHENTICATED`. */
export function createMetricsRoutes({ print, token }: MetricsRouteDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get('/metrics', async (c) => {
    if (!mayReadMetrics({ peerAddress: c.env?.peerAddress, headers: c.req.raw.headers }, token))
      throw refusal();
    const { contentType, text } = await print();
    return c.body(text, 200, { 'Content-Type': contentType });
  });
  return app;
}

function refusal(): AppError {
  const message =
    'The metrics are for programs on this machine, without a proxy, and for who sends METRICS_TOKEN as a bearer token.';
  return new AppError('UNAUTHENTICATED', message);
}

export type ObserveRequest = (observation: RequestObservation) => void;

/** Tells `observe` how each request went. */
export function measureRequests(observe: ObserveRequest): MiddlewareHandler {
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    observe({
      method: methodOf(c),
      route: routeOf(c),
      status: `${Math.floor(c.res.status / 100)}xx`,
      seconds: (performance.now() - startedAt) / 1_000,
    });
  };
}
