/** What a request asked for, in words that come from small sets, whatever is sent. */
import type { Context } from 'hono';
import { routePath } from 'hono/route';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** The method, or `other`. */
export function methodOf(c: Context): string {
  return METHODS.has(c.req.method) ? c.req.method : 'other';
}

/** The pattern of the route that answered, as `/api/webhooks/deliveries/:id`; `none` where no route is. */
export function routeOf(c: Context): string {
  const pattern = routePath(c, -1);
  return pattern === '/*' || pattern === '*' || pattern === '' ? 'none' : pattern;
}
