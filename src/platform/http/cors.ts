/** Cross-origin requests: only from the origins that the operator lists, and never with cookies. */
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** Answers preflights of the listed origins and lets them read answers; to every other origin it is not there. */
export function listedOrigins(origins: readonly string[]): MiddlewareHandler {
  const answer = cors({
    origin: [...origins],
    allowMethods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-Request-Id'],
    exposeHeaders: ['Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
    maxAge: 600,
  });
  return async (c, next) => {
    if (origins.includes(c.req.header('origin') ?? '')) return answer(c, next);
    await next();
    if (origins.length > 0) c.res.headers.append('Vary', 'Origin');
  };
}
