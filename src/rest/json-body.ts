/** Which bodies are read: JSON, whatever its charset parameter says, for JSON is UTF-8 (RFC 8259 8.1). */
import type { MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { RestEnv } from './env.ts';

const JSON_TYPE = /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/** Refuses another type with 415. A body without any content is no body, even if it has a type. */
export const jsonBody: MiddlewareHandler<RestEnv> = async (c, next) => {
  const { headers } = c.req.raw;
  const type = headers.get('content-type');
  if (headers.get('content-length') === '0') headers.delete('content-type');
  else if (type !== null) {
    if (!JSON_TYPE.test(type)) throw new HTTPException(415);
    headers.set('content-type', 'application/json');
  }
  await next();
};
