/** Where the request of a page comes from, for the audit log. */
import type { Context } from 'hono';
import type { RequestOrigin } from '../audit/entry.ts';
import type { HttpEnv } from '../platform/http/env.ts';

export function originOf(c: Context<HttpEnv>): RequestOrigin {
  return {
    address: c.get('clientAddress'),
    userAgent: c.req.header('user-agent') ?? null,
    requestId: c.get('requestId'),
  };
}
